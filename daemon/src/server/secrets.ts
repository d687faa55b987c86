/** What a command's declaration says of secrets: what the last filter must know, and what a log may show. */
import { type Field, type Fields, LIST_LENGTH, type Secret } from '../command.js'
import { bounded, boundedIn } from '../errors.js'
import { HIDDEN, live } from '../live_secrets.js'

/** Longest string of a parameter that the log shows. */
const SHOWN = 200

/** Characters of an oxd_id that a log may show: enough to tell sites apart, too few to be one. */
const SHOWN_ID = 8

/** Characters of a cookie's value from which it may be a secret, and not a language or a colour. */
const COOKIE = 16

/** How deep a value is searched that is of another type than declared. */
const LEVELS = 4

/** Tells the last filter of the secrets among a command's parameters or results. */
export type NoteSecrets = (values: Record<string, unknown>) => void

/** Done once for a declaration; what it returns runs for every request. */
export function noteSecretsOf(fields: Fields): NoteSecrets {
  const noting = notingOf(fields)
  return (values) => {
    for (const [name, noteOne] of noting) {
      const value = values[name]
      if (value !== undefined) noteOne(value)
    }
  }
}

type NoteOne = (value: unknown) => void

/** @returns of each field that is secret, or has such members, how its secrets are noted */
function notingOf(fields: Fields): Map<string, NoteOne> {
  const all = Object.entries(fields).map(([name, field]) => [name, noteOneOf(field)] as const)
  return new Map(all.flatMap(([name, noteOne]) => (noteOne ? [[name, noteOne]] : [])))
}

function noteOneOf({ secret, fields }: Field): NoteOne | undefined {
  const noteWhole: NoteOne | undefined = secret && ((value) => note(secret, value))
  if (!fields) return noteWhole
  const members = notingOf(fields)
  if (members.size === 0) return noteWhole
  return (value) => {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one !== 'object' || one === null || Array.isArray(one)) noteWhole?.(one)
      else {
        for (const [name, member] of Object.entries(one)) {
          // Undeclared, it is refused: perhaps a secret with its name misspelt.
          if (!Object.hasOwn(fields, name)) noteWhole?.(member)
          else members.get(name)?.(member)
        }
      }
    }
  }
}

/** A request's parameters for the log: no secret, nothing undeclared, nothing long. */
export function shownParams(fields: Fields, params: object): object {
  const members = Object.entries(params).map(([name, value]) => [
    bounded(name, 64),
    Object.hasOwn(fields, name) ? shown(name, value, fields[name]?.secret) : '[unknown]',
  ])
  return Object.fromEntries(members)
}

/** How a log names a site; absent where it is nothing that the daemon has ever made. */
export function shownSite(oxd_id: unknown): string | undefined {
  if (typeof oxd_id !== 'string' || !/^[0-9a-f]{8}-/.test(oxd_id)) return undefined
  return oxd_id.slice(0, SHOWN_ID)
}

function shown(name: string, value: unknown, secret: Secret | undefined): unknown {
  if (secret) return HIDDEN
  return name === 'oxd_id' ? shownSite(value) : boundedIn(value, SHOWN)
}

function note(secret: Secret, value: unknown, levels = LEVELS): void {
  if (typeof value !== 'string') {
    // Of another type than declared: refused, but its strings are secrets all the same.
    if (typeof value !== 'object' || value === null || levels === 0) return
    for (const one of Object.values(value).slice(0, LIST_LENGTH)) note(secret, one, levels - 1)
    return
  }
  switch (secret) {
    case true:
      live.note(copied(value))
      break
    case 'key':
      live.notePrivateKey(copied(value))
      break
    case 'address':
      for (const part of value.split(/[?#]/)) {
        for (const [name, one] of new URLSearchParams(part)) live.noteNamed(name, copied(one))
      }
      break
    case 'cookies':
      for (const pair of value.split(';')) {
        const one = pair.slice(pair.indexOf('=') + 1).trim()
        if (one.length >= COOKIE) live.note(copied(one))
      }
      break
  }
}

/** V8 makes a part of a string a view of the whole, which would live as long as the part. */
function copied(text: string): string {
  return Buffer.from(text).toString()
}
