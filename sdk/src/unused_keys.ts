/** Tells what stands in a site's cfg and is not used, and what it was probably meant to be. */
import { type CfgSection, DEFAULT } from './cfg_section.js'
import { warnOnce } from './config_warning.js'
import { atPlace } from './errors.js'
import type { IniFile } from './ini_file.js'
import { nearestName } from './nearest_name.js'
import { clientKeys, endedKeys, laterKeys, olderNames, oxdKeys } from './site_keys.js'

/** What `[client]` may hold. */
const namesOfClient = [...clientKeys, ...olderNames.keys(), ...laterKeys]

/** @param sections whose values were read already, so that it is known which keys they refer to */
export function warnOfUnused(
  file: IniFile,
  sections: { oxd: CfgSection; client: CfgSection },
): void {
  const warn = (line: number, message: string) => warnOnce(`${atPlace(file.path, line)} ${message}`)
  const referenced = new Set([...sections.oxd.referenced, ...sections.client.referenced])
  const places: [section: string, known: readonly string[]][] = [
    ['oxd', [...oxdKeys]],
    ['client', namesOfClient],
    [DEFAULT, [...oxdKeys, ...namesOfClient]],
  ]
  for (const [name, line] of file.section_lines) {
    if (places.some(([section]) => section === name)) continue
    warn(line, `section [${name}] is not used${didYouMean(name, ['oxd', 'client'])}`)
  }
  for (const [section, known] of places) {
    for (const [key, { value, line }] of file.sections.get(section) ?? []) {
      if (value === '' || referenced.has(key)) continue
      const ended = endedKeys.get(key)
      if (laterKeys.has(key)) {
        warn(line, `"${key}" is not used by this version of relyd`)
      } else if (ended !== undefined) {
        warn(line, `"${key}" is oxd's and not used: ${ended}`)
      } else if (!known.includes(key)) {
        warn(line, `"${key}" in [${section}] is not used${didYouMean(key, known)}`)
      }
    }
  }
}

function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known)
  return nearest ? `; did you mean "${nearest}"?` : ''
}
