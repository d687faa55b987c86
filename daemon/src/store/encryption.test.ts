/** Sealed values open in their place, with their key, and nowhere else. */
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type Cell, Keyring } from './encryption.js'
import { StoreError } from './errors.js'

const old_key = { id: 'old', key: randomBytes(32) }
const new_key = { id: 'new', key: randomBytes(32) }
const cell: Cell = { table: 'sites', column: 'secrets', row: 'a-site' }

function refusal(attempt: () => unknown): StoreError {
  try {
    attempt()
  } catch (error) {
    if (error instanceof StoreError) return error
    throw error
  }
  throw new Error('not refused')
}

describe('Keyring', () => {
  test.each(['', 'ä secret', 'x'.repeat(5000)])('opens what it sealed', (plaintext) => {
    const keys = new Keyring([new_key])
    expect(keys.open(keys.seal(plaintext, cell), cell).toString()).toBe(plaintext)
    const bytes = Buffer.from(plaintext)
    expect(keys.open(keys.seal(bytes, cell), cell)).toEqual(bytes)
  })

  test('seals the same value differently each time, without showing it', () => {
    const keys = new Keyring([new_key])
    const blobs = [keys.seal('hidden secret', cell), keys.seal('hidden secret', cell)] as const
    expect(blobs[0]).not.toEqual(blobs[1])
    expect(blobs[0].includes('hidden')).toBe(false)
  })

  test('seals with the first key and opens with all', () => {
    const sealed_before = new Keyring([old_key]).seal('before', cell)
    const keys = new Keyring([new_key, old_key])
    expect(keys.open(sealed_before, cell).toString()).toBe('before')
    expect(new Keyring([new_key]).open(keys.seal('after', cell), cell).toString()).toBe('after')
  })

  test('names the key that is missing', () => {
    const blob = new Keyring([old_key]).seal('secret', cell)
    const error = refusal(() => new Keyring([new_key]).open(blob, cell))
    expect(error.code).toBe('key_missing')
    expect(error.message).toContain('key old ')
  })

  test.each<[string, Cell]>([
    ['row', { ...cell, row: 'b-site' }],
    ['column', { ...cell, column: 'client' }],
    ['table', { ...cell, table: 'logins' }],
    // The same characters, divided otherwise.
    ['boundary', { table: 'site', column: 'ssecrets', row: 'a-site' }],
    ['boundary to the row', { table: 'sites', column: 'secretsa', row: '-site' }],
  ])('does not open under another %s', (_, elsewhere) => {
    const keys = new Keyring([new_key])
    const error = refusal(() => keys.open(keys.seal('secret', cell), elsewhere))
    expect(error.code).toBe('tampered')
  })

  test('does not open with any byte changed, or cut anywhere', () => {
    const keys = new Keyring([new_key])
    const blob = keys.seal('secret', cell)
    for (let index = 0; index < blob.length; index++) {
      const changed = Buffer.from(blob)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(() => keys.open(changed, cell)).toThrow(StoreError)
      expect(() => keys.open(blob.subarray(0, index), cell)).toThrow(StoreError)
    }
  })

  test('shows no hostile bytes, secrets or keys in errors and when printed', () => {
    const keys = new Keyring([new_key])
    const hostile = Buffer.concat([Buffer.of(1, 4), Buffer.from('\x1b[2J'), randomBytes(40)])
    expect(refusal(() => keys.open(hostile, cell)).code).toBe('tampered')
    const wrong = new Keyring([{ id: 'new', key: old_key.key }]).seal('plain secret', cell)
    const error = refusal(() => keys.open(wrong, cell))
    const shown = inspect([error, keys], { depth: null, showHidden: true })
    expect(shown).not.toContain('plain secret')
    expect(shown).not.toContain(new_key.key.toString('base64url').slice(0, 8))
    expect(shown).not.toContain(new_key.key.toString('hex').slice(0, 8))
    expect(error.message).toContain('table sites, row a-site, column secrets')
    expect(error.cause).toBeUndefined()
  })

  test('does not show the whole of a row key that is a state', () => {
    const state = randomBytes(24)
    const error = refusal(() => new Keyring([new_key]).open(Buffer.of(9), { ...cell, row: state }))
    expect(error.message).toContain(state.toString('hex', 0, 8))
    expect(error.message).not.toContain(state.toString('hex', 0, 9))
  })

  test('does not show the whole of a row key that is an oxd_id', () => {
    const row = '2f1c7a90-0f57-4f5c-9d4b-8a4d3f0e6b11'
    const error = refusal(() => new Keyring([new_key]).open(Buffer.of(9), { ...cell, row }))
    expect(error.message).toContain('row 2f1c7a90,')
  })

  test('takes no key twice under one id, and none of another length', () => {
    expect(() => new Keyring([new_key, { ...old_key, id: 'new' }])).toThrow(RangeError)
    expect(() => new Keyring([{ id: 'short', key: randomBytes(16) }])).toThrow(RangeError)
  })
})
