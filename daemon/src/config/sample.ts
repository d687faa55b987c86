/** Writes the sample relyd.cfg from the table of options. */
import type { Option } from './option.js'
import { sections } from './options.js'

const WIDTH = 98

/** What the shipped sample sets; everything else stands in it as a comment with its default. */
const shipped: Record<string, { section: string; set: string[] }> = {
  daemon: { section: '[daemon]', set: [] },
  listener: { section: '[listener site]', set: ['address'] },
  realm: { section: '[realm default]', set: [] },
}

export function sampleConfig(): string {
  const parts = Object.entries(sections).map(([kind, { doc, options }]) => {
    const { section, set } = shipped[kind] as { section: string; set: string[] }
    const lines = Object.entries(options as Record<string, Option>).map(([name, option]) =>
      describe(name, option, set.includes(name)),
    )
    return `${comment(doc)}\n${section}\n\n${lines.join('\n\n')}\n`
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
