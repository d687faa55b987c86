/** Writes the sample relyd.cfg from the table of options. */
import type { Option } from './option.js'
import { sections, tlsOptions } from './options.js'

const WIDTH = 98

/** What the shipped sample sets; everything else stands in it as a comment with its default. */
const shipped: Record<string, { section: string; set: string[] }> = {
  daemon: { section: '[daemon]', set: [] },
  listener: { section: '[listener site]', set: ['address'] },
  realm: { section: '[realm default]', set: [] },
  op: { section: '#[op example]', set: [] },
}

/** A Unix socket cannot have these: they are shown in a section of their own, a comment as a whole. */
const REMOTE = `\
# A listener for websites on other hosts.
#[listener remote]

#address = tcp:0.0.0.0:8099
`

/** Clients of oxD look for it at this port, some on IPv4 alone, others on IPv6 first. */
const OXD = `\
${comment('Websites with client libraries of oxD, in a realm of their own, at the port where they look for oxD; docs/migrating-from-oxd.md has the whole of it.')}
#[listener oxd]
#address = tcp:127.0.0.1:8099
#realm = oxd

#[listener oxd-ipv6]
#address = tcp:[::1]:8099
#realm = oxd

#[realm oxd]
#oxd_clients = 3.1
`

export function sampleConfig(): string {
  const parts = Object.entries(sections).map(([kind, { doc, options }]) => {
    const { section, set } = shipped[kind] as { section: string; set: string[] }
    const all = Object.entries(options as Record<string, Option>)
    const lines = (remote: boolean) =>
      all
        .filter(([name]) => Object.hasOwn(tlsOptions, name) === remote)
        .map(([name, option]) => `\n${describe(name, option, set.includes(name))}\n`)
        .join('')
    const shown = `${comment(doc)}\n${section}\n${lines(false)}`
    if (kind === 'listener') return `${shown}\n\n${REMOTE}${lines(true)}`
    return kind === 'realm' ? `${shown}\n\n${OXD}` : shown
  })
  return `${comment(HEAD)}\n\n${parts.join('\n\n')}`
}

const HEAD =
  'Configuration of relyd. Options behind a # have the value shown, or none. Check a change with `relyd check-config --config FILE`. Generated from daemon/src/config/options.ts.'

function describe(name: string, option: Option, set: boolean): string {
  const value = option.default ?? option.example ?? ''
  const doc = option.unsafe ? `${option.doc} UNSAFE: ${option.unsafe}` : option.doc
  return `${comment(doc)}\n${set ? '' : '#'}${name} = ${value}`
}

function comment(text: string): string {
  const lines: string[] = []
  let line = '#'
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = '#'
    }
    line += ` ${word}`
  }
  return [...lines, line].join('\n')
}
