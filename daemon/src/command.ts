/** How a command is declared: fields with their documentation, and a handler typed by them. */
import Type, { type Static, type TSchema } from 'typebox'
import type { Context } from './context.js'
import type { ErrorCode } from './errors.js'
import type { Site } from './store/store.js'

/** A parameter's or result member's documentation. */
export interface FieldDoc {
  doc: string
  spec?: string
  /** Never to be logged, nor taken from a process's arguments. */
  secret?: Secret
}

/**
 * Where the secret is: `true`, all of the value. `key`, the same of a private key, which may be
 * written in several ways. `address`, in parameters of a URL or a form. `cookies`, in the values of
 * a Cookie or Set-Cookie header.
 */
export type Secret = true | 'key' | 'address' | 'cookies'

export interface Field<S extends TSchema = TSchema, Required extends boolean = boolean>
  extends FieldDoc {
  schema: S
  required: Required
  /** Of a list of objects, their members. */
  fields?: Fields
}

export type Fields = Record<string, Field>

/** The object that a set of fields describes. */
export type Values<F extends Fields> = {
  [K in keyof F as F[K]['required'] extends true ? K : never]: Static<F[K]['schema']>
} & {
  [K in keyof F as F[K]['required'] extends true ? never : K]?: Static<F[K]['schema']>
}

/** Longest string that a parameter or result has unless it says otherwise. */
export const STRING_LENGTH = 4096

/** Most members of a list, and of a map of texts. */
export const LIST_LENGTH = 100

/** Not empty, unless `minLength` says so. */
export function string(doc: FieldDoc & { minLength?: number; maxLength?: number }) {
  const { minLength = 1, maxLength = STRING_LENGTH } = doc
  return field(doc, Type.String({ minLength, maxLength }))
}

/** Longest token that is passed on; an OP's whole answer may have 1 MiB. */
const TOKEN_LENGTH = 65_536

/** A token or a document that carries some: long, and secret. */
export function token(doc: FieldDoc & { minLength?: number }) {
  return string({ secret: true, ...doc, maxLength: TOKEN_LENGTH })
}

export function strings(doc: FieldDoc & { maxLength?: number }) {
  const { maxLength = STRING_LENGTH } = doc
  return field(doc, Type.Array(Type.String({ minLength: 1, maxLength }), { maxItems: LIST_LENGTH }))
}

export function integer(doc: FieldDoc & { minimum?: number }) {
  return field(doc, Type.Integer({ minimum: doc.minimum ?? 0, maximum: Number.MAX_SAFE_INTEGER }))
}

export function boolean(doc: FieldDoc) {
  return field(doc, Type.Boolean())
}

export function oneOf<const V extends string>(doc: FieldDoc, values: readonly V[]) {
  return field(doc, Type.Unsafe<V>(Type.Enum([...values])))
}

/** Some of a few words. */
export function listOf<const V extends string>(doc: FieldDoc, values: readonly V[]) {
  const item = Type.Unsafe<V>(Type.Enum([...values]))
  return field(doc, Type.Array(item, { maxItems: LIST_LENGTH }))
}

/** A list of objects of one shape, of any length: for results. */
export function records<F extends Fields>(doc: FieldDoc, fields: F) {
  return { ...field(doc, Type.Unsafe<Values<F>[]>(Type.Array(schemaOf(fields)))), fields }
}

/** The same for parameters, at most so many; the frame's length bounds them too. */
export function listRecords<F extends Fields>(doc: FieldDoc, fields: F, maxItems = 1000) {
  const schema = Type.Array(schemaOf(fields), { maxItems })
  return { ...field(doc, Type.Unsafe<Values<F>[]>(schema)), fields }
}

/** Objects of any members, which a handler reads by itself. */
export function objects(doc: FieldDoc) {
  return field(doc, Type.Array(mapOf(Type.Unknown()), { maxItems: LIST_LENGTH }))
}

/** A JSON object whose members the daemon passes on without knowing them. */
export function object(doc: FieldDoc) {
  return field(doc, mapOf(Type.Unknown()))
}

export function stringMap(doc: FieldDoc) {
  return field(
    doc,
    mapOf(Type.String({ maxLength: STRING_LENGTH }), { maxProperties: LIST_LENGTH }),
  )
}

/** Not Type.Record, whose pattern of names leaves what has a line break in its name unchecked. */
function mapOf<S extends TSchema>(values: S, options: { maxProperties?: number } = {}) {
  return Type.Unsafe<Record<string, Static<S>>>(
    Type.Object({}, { additionalProperties: values, ...options }),
  )
}

/** Makes a field one that must be there. */
export function required<S extends TSchema>(optional: Field<S, false>): Field<S, true> {
  return { ...optional, required: true }
}

function field<S extends TSchema>(doc: FieldDoc, schema: S): Field<S, false> {
  const { doc: text, spec, secret } = doc
  return { schema, required: false, doc: text, ...(spec && { spec }), ...(secret && { secret }) }
}

/** The object schema of a set of fields, closed to unknown members. */
export function schemaOf(fields: Fields): TSchema {
  const properties = Object.entries(fields).map(([name, { schema, required, doc, spec }]) => {
    const described = { ...schema, description: spec ? `${doc} (${spec})` : doc }
    return [name, required ? described : Type.Optional(described)] as const
  })
  return Type.Object(Object.fromEntries(properties), { additionalProperties: false })
}

/**
 * A command whole. `oxd_id` among the parameters makes it a site's command: the daemon looks the
 * site up in the listener's realm before the handler runs.
 */
export interface CommandSpec<P extends Fields, R extends Fields, E extends ErrorCode> {
  doc: string
  spec: readonly string[]
  /** Whether a client may send it again when a connection broke before the reply came. */
  retry: 'safe' | 'never'
  /** It may wait for an answer of the OP's, beyond the documents that are cached. */
  asks_op?: true
  params: P
  result: R
  /** The codes it answers beyond the common ones. */
  errors: readonly E[]
  run(context: Context<E>, site: SiteOf<P>, params: Values<P>): Promise<Values<R>>
}

/** The caller's site, where the command takes an `oxd_id`. */
export type SiteOf<P extends Fields> = P extends { oxd_id: Field<TSchema, true> }
  ? Site
  : P extends { oxd_id: Field }
    ? Site | undefined
    : undefined

/** A command of any shape, as the dispatcher and the generators see it. */
export interface Command {
  doc: string
  spec: readonly string[]
  retry: 'safe' | 'never'
  /** It may wait for an answer of the OP's, beyond the documents that are cached. */
  asks_op?: true
  params: Fields
  result: Fields
  errors: readonly ErrorCode[]
  run(context: Context<ErrorCode>, site: never, params: never): Promise<object>
}

export function command<P extends Fields, R extends Fields, const E extends ErrorCode>(
  spec: CommandSpec<P, R, E>,
): CommandSpec<P, R, E> {
  return spec
}

/** The session that a command is about. */
export const session_id = required(
  string({ doc: 'The session that the login answered.', secret: true }),
)

/** The parameter by which every site's command names its site. */
export const oxd_id = required(
  string({
    doc: 'The site, as register_site named it. On TCP it is a secret of the site.',
    maxLength: 64,
  }),
)

/** The result by which a session is known to those who must not use it. */
export const session_ref = required(
  string({
    doc: 'Names the session, in logs and in the event `logout`. It is no secret, and opens nothing.',
  }),
)
