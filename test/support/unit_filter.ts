/** What a unit's options allow, as systemd itself expands its sets of system calls. */
import { execFileSync } from 'node:child_process'

/** @returns each set with its calls and the sets in it, as systemd-analyze lists them */
function sets(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  let set: string[] = []
  const text = execFileSync('systemd-analyze', ['syscall-filter'], { encoding: 'utf8' })
  for (const line of text.split('\n')) {
    if (line.startsWith('@')) {
      set = []
      found.set(line.trim(), set)
    } else if (/^ {4}[@\w]/.test(line)) set.push(line.trim())
  }
  return found
}

/** @returns the values of an option, in their order, over all of its lines */
export function valuesOf(unit: string, option: string): string[] {
  return unit
    .split('\n')
    .filter((line) => line.startsWith(`${option}=`))
    .map((line) => line.slice(option.length + 1))
}

/** @returns the system calls that `SystemCallFilter=` lets pass: an allow-list, and then what `~` takes out */
export function allowedCalls(unit: string): Set<string> {
  const known = sets()
  const expand = (name: string): string[] => {
    if (!name.startsWith('@')) return [name]
    const members = known.get(name)
    if (!members) throw new Error(`systemd has no set ${name}`)
    return members.flatMap(expand)
  }
  const allowed = new Set<string>()
  for (const value of valuesOf(unit, 'SystemCallFilter')) {
    const calls = value.replace(/^~/, '').split(' ').flatMap(expand)
    for (const call of calls) {
      if (value.startsWith('~')) allowed.delete(call)
      else allowed.add(call)
    }
  }
  return allowed
}
