/** How a command of oxd is declared: its parameters and results as oxd's clients know them, and what it does in relyd's terms. */
import Type, { type TNull, type TSchema, type TUnion } from 'typebox'
import type { Field, FieldDoc, Fields, SiteOf, Values } from '../command.js'
import type { Context } from '../context.js'
import type { ErrorCode } from '../errors.js'
import type { OxdCode } from './errors.js'

export interface OxdContext extends Context<ErrorCode> {
  /** As the client sent it, whatever command it sent it with. */
  protection_access_token?: string | undefined
}

/**
 * A command whole. Parameters are read leniently (`params.ts`) before they are checked. A result
 * without members is `"data": null` on the wire.
 */
export interface OxdCommandSpec<P extends Fields, R extends Fields> {
  doc: string
  /** The version of oxD that brought it. */
  since: string
  /** Other names of the command. */
  names?: readonly string[]
  /** It may wait for an answer of the OP's, beyond the documents that are cached. */
  asks_op?: true
  /** Runs without a protection_access_token where the realm wants one. */
  unprotected?: true
  /** What its clients hear instead of a code. */
  told_as?: Partial<Record<ErrorCode, OxdCode>>
  /** The only codes that its clients take for errors: they hear each other one as `internal_error`. */
  heeded?: readonly OxdCode[]
  params: P
  result: R
  run(context: OxdContext, site: SiteOf<P>, params: Values<P>): Promise<Values<R>>
}

/** A command of any shape, as the dispatcher and the generators see it. */
export interface OxdCommand extends Omit<OxdCommandSpec<Fields, Fields>, 'run'> {
  run(context: OxdContext, site: never, params: never): Promise<object>
}

export function oxdCommand<P extends Fields, R extends Fields>(
  spec: OxdCommandSpec<P, R>,
): OxdCommandSpec<P, R> {
  return spec
}

/** A member that is there always, and null where there is nothing to tell. */
export function orNull<S extends TSchema>(field: Field<S>): Field<TUnion<[S, TNull]>, true> {
  return { ...field, required: true, schema: Type.Union([field.schema, Type.Null()]) }
}

/** A member that oxD had, and in which there is nothing to tell. */
export function alwaysNull({ doc }: FieldDoc): Field<TNull, false> {
  return { schema: Type.Null(), required: false, doc }
}
