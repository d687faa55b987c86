/** Claims as oxd's clients read them: each a list of texts, under names that they can take. */
import Type from 'typebox'
import { type Field, type FieldDoc, object } from '../command.js'
import type { RealmPolicy } from '../context.js'

/** A member with claims, which are lists also where there is one value. */
export function claims(doc: FieldDoc) {
  const lists = Type.Object({}, { additionalProperties: Type.Array(Type.String()) })
  const schema = Type.Unsafe<Record<string, string[]>>(lists)
  return { ...object(doc), schema } satisfies Field
}

/** What is neither a text nor a list of such is told as JSON; what is null is left out. */
export function oxdClaims(
  claims: Record<string, unknown>,
  { oxd_clients }: Pick<RealmPolicy, 'oxd_clients'>,
): Record<string, string[]> {
  const are_attributes = oxd_clients === '3.0' || oxd_clients === '2.4'
  const told = Object.entries(claims).filter(
    ([name, value]) => value !== null && (!are_attributes || isAttribute(name)),
  )
  return Object.fromEntries(told.map(([name, value]) => [name, textsOf(value)]))
}

function textsOf(claim: unknown): string[] {
  const values = [claim].flat().filter((one) => one !== null)
  return values.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
}

/** Words of Python 2.7 that are no names, and those that it lets nobody assign to. */
const KEYWORDS = new Set(
  'and as assert break class continue def del elif else except exec finally for from global if import in is lambda not or pass print raise return try while with yield None'.split(
    ' ',
  ),
)

/** Whether clients that make each member a field of a namedtuple can have it: else they fail whole. */
export function isAttribute(name: string): boolean {
  return /^[a-zA-Z]\w*$/.test(name) && !KEYWORDS.has(name)
}
