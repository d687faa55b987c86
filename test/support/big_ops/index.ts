/** The metadata of OPs that many people use, as published; each file says where it is from. */
import { readFileSync } from 'node:fs'
import type { PublishedOp } from '../bent_op/index.js'

export const bigOps = [
  'google',
  'entra_tenant',
  'entra_organizations',
  'apple',
  'okta',
  'auth0',
  'cognito',
  'keycloak',
] as const

export function publishedOp(name: (typeof bigOps)[number]): PublishedOp {
  return JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8'))
}
