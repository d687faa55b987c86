/** Searches files, processes and texts for a secret, in every form that it could have taken on its way. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where a secret was found, and in which form. */
export interface Trace {
  where: string
  form: string
}

/** @returns every form of a secret that a program might have made of it, by what it is called */
export function formsOf(secret: string): Map<string, string> {
  const bytes = Buffer.from(secret)
  const form = new URLSearchParams({ s: secret }).toString().slice(2)
  const forms = new Map([
    ['plain', secret],
    ['URL-encoded', encodeURIComponent(secret)],
    ['in a form', form],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in hex', bytes.toString('hex')],
  ])
  // What stands before it in a longer text shifts base64 by up to two bytes; the ends hang on the neighbours.
  for (const text of [secret, form]) {
    for (const shift of [0, 1, 2]) {
      const base64 = Buffer.from(`${'x'.repeat(shift)}${text}`).toString('base64')
      forms.set(`in base64, ${shift}, ${text.length}`, base64.slice(4, -4))
    }
  }
  return forms
}

/** @param places texts and bytes by where they are from */
export function tracesOf(
  secret: string,
  places: Iterable<readonly [string, string | Buffer]>,
): Trace[] {
  const forms = formsOf(secret)
  const found: Trace[] = []
  for (const [where, content] of places) {
    const text = typeof content === 'string' ? content : content.toString('latin1')
    const urls = text.replaceAll('-', '+').replaceAll('_', '/')
    for (const [form, wanted] of forms) {
      if (
        text.includes(Buffer.from(wanted).toString('latin1')) ||
        text.includes(wanted) ||
        urls.includes(wanted)
      ) {
        found.push({ where, form })
      }
    }
  }
  return found
}

/** Every file of a folder, whatever it is. */
export function filesIn(folder: string): [string, Buffer][] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path)])
}

/** Arguments and environment of every process of this host that this user may look at. */
export function processes(): [string, Buffer][] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) =>
      ['cmdline', 'environ'].flatMap((file): [string, Buffer][] => {
        try {
          return [[`/proc/${pid}/${file}`, readFileSync(`/proc/${pid}/${file}`)]]
        } catch {
          return []
        }
      }),
    )
}
