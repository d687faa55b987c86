/** Files of metadata that relyd.cfg names: what they may be, and what is said of those that will not do (P5). */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { optionsOf } from '../op/op_options.js'
import { StartError } from '../start_error.js'
import type { Config } from './config.js'
import { loadWholeConfig } from './load.js'

const op_host = 'https://op.example'
const metadata = {
  issuer: op_host,
  authorization_endpoint: `${op_host}/authorize`,
  token_endpoint: `${op_host}/token`,
  jwks_uri: `${op_host}/jwks`,
}
const key = { kty: 'EC', crv: 'P-256', kid: 'one', x: 'AA', y: 'AA' }

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-metadata-'))
  mkdirSync(join(folder, 'state'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** With the file's name as `metadata_file`. */
function load(file: string | object, name = 'op.json'): Config {
  const config = join(folder, 'relyd.cfg')
  writeFileSync(
    config,
    `[daemon]\nstate_directory = ${folder}/state\n[listener site]\naddress = unix:/run/x\n[op one]\nop_host = ${op_host}\nmetadata_file = ${name}\n`,
  )
  const text = typeof file === 'string' ? file : JSON.stringify(file)
  writeFileSync(join(folder, 'state', 'op.json'), text)
  return loadWholeConfig(config)
}

function refusal(file: string | object, name?: string): string {
  try {
    load(file, name)
  } catch (error) {
    if (error instanceof StartError) return error.message
    throw error
  }
  throw new Error('not refused')
}

describe('takes', () => {
  test('a file, whose name may begin in the state_directory', () => {
    const op = optionsOf(load(metadata).ops, op_host)
    expect(op).toMatchObject({ metadata_file: `${folder}/state/op.json`, static: { metadata } })
    expect(op?.static?.jwks).toBeUndefined()
  })

  test('keys in it, without what none has to do with a signature', () => {
    const { jwks_uri: _, ...rest } = metadata
    const jwks = {
      keys: [
        { ...key, x5c: ['AA'] },
        { ...key, kid: 'private', d: 'AA' },
      ],
    }
    const given = optionsOf(load({ ...rest, jwks }).ops, op_host)?.static
    expect(given).toEqual({ metadata: rest, jwks: { keys: [key] } })
  })

  test('a byte order mark', () => {
    expect(load(`\uFEFF${JSON.stringify(metadata)}`).ops.size).toBe(1)
  })
})

describe('refuses', () => {
  test.each<[name: string, file: string | object, why: string]>([
    ['what is no JSON', '{', 'is not JSON'],
    ['a list', '[]', 'is no JSON object'],
    ['another issuer', { ...metadata, issuer: 'https://x.example' }, 'https://x.example'],
    ['no issuer', { ...metadata, issuer: undefined }, 'has no issuer'],
    ['no token_endpoint', { ...metadata, token_endpoint: undefined }, 'has no token_endpoint'],
    ['no keys', { ...metadata, jwks_uri: undefined }, 'has no jwks_uri'],
    ['an address of http', { ...metadata, jwks_uri: 'http://op.example/' }, 'has a jwks_uri'],
    ['an empty key set', { ...metadata, jwks: { keys: [] } }, 'public keys'],
    ['no key set', { ...metadata, jwks: 'keys' }, 'public keys'],
    ['private keys alone', { ...metadata, jwks: { keys: [{ ...key, d: 'AA' }] } }, 'public keys'],
    ['what is too long', ' '.repeat(300_000), 'is longer than'],
  ])('%s', (_, file, why) => {
    const message = refusal(file)
    expect(message).toContain(why)
    expect(message).toMatch(/relyd\.cfg:7: metadata_file \S+\/state\/op\.json /)
  })

  test('none', () => {
    expect(refusal(metadata, '/nowhere/op.json')).toMatch(/\/nowhere\/op\.json does not exist$/)
    expect(refusal(metadata, folder)).toMatch(/cannot be read \(EISDIR\)$/)
  })
})
