/** cfgs are read as Python's ConfigParser reads them, and written so that Python reads the same again. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CfgSection } from '../../sdk/src/cfg_section.js'
import { ConfigError } from '../../sdk/src/errors.js'
import { setIniValue } from '../../sdk/src/ini_edit.js'
import { parseIniFile } from '../../sdk/src/ini_file.js'
import { readIniValue } from '../../sdk/src/ini_lines.js'
import { nastyCfg, plainCfg, plainCfgCrlf } from '../support/cfg_text.js'
import { ConfigParser, type Entry, type Reading, type Sections } from '../support/config_parser.js'

const CORPUS = fileURLToPath(new URL('../cfg/', import.meta.url))
const RECORDED = `${CORPUS}answers_2.7.json`
const corpus = readdirSync(CORPUS).filter((name) => name.endsWith('.cfg'))

/**
 * Files that Python 2.7 and 3 read differently, and relyd as Python 3 does. Of all others the rule is:
 * as 2.7, which oxd-python ran on, and where that refuses them, as 3. docs/cfg.md gives the reasons.
 */
const asPython3 = new Set(['indented_comments.cfg', 'cr.cfg', 'unicode_white_space.cfg'])

const ID = '0d2bd1d2-6a0a-4bb5-9e07-3c9b25ff7d0d'

let python3: ConfigParser
/** Where it is not installed, the corpus is compared with what it answered where it was. */
const python27 = ConfigParser.python27()

beforeAll(() => {
  python3 = ConfigParser.python3()
})

afterAll(async () => {
  await python3?.[Symbol.asyncDispose]()
  await python27?.[Symbol.asyncDispose]()
})

function textOf(name: string): string {
  return readFileSync(CORPUS + name, 'utf8')
}

/** What the SDK makes of a text, in Python's terms. */
function read(text: string): Reading {
  try {
    const file = parseIniFile(text, 'site.cfg', () => {})
    const defaults = file.sections.get('DEFAULT')
    if (defaults?.size === 0) file.sections.delete('DEFAULT')
    const sections = [...file.sections].map(([name, own]) => {
      const section = new CfgSection(file, name)
      const entries = [...section.keys()].map((key) => {
        const raw = (own.get(key) ?? defaults?.get(key))?.value
        return [key, { value: valueIn(section, key), raw }]
      })
      return [name, Object.fromEntries(entries)]
    })
    return { sections: Object.fromEntries(sections) }
  } catch (error) {
    if (error instanceof ConfigError) return { error: error.message }
    throw error
  }
}

function valueIn(section: CfgSection, key: string): string | null {
  try {
    return section.get(key)?.value ?? null
  } catch (error) {
    if (error instanceof ConfigError) return null
    throw error
  }
}

/** The reading that counts. */
function expected(name: string, by27: Reading, by3: Reading): Reading {
  return 'error' in by27 || asPython3.has(name) ? by3 : by27
}

function recorded(): Record<string, Reading> {
  return JSON.parse(readFileSync(RECORDED, 'utf8'))
}

test('the recorded answers are those of Python 2.7', async ({ skip }) => {
  if (!python27)
    skip('there is no Python 2.7 here: the corpus is compared with its recorded answers')
  const answers: Record<string, Reading> = {}
  for (const name of corpus) answers[name] = (await python27?.read(textOf(name))) as Reading
  await expect(`${JSON.stringify(answers, null, 2)}\n`).toMatchFileSnapshot(RECORDED)
})

describe.each(corpus)('%s', (name) => {
  test('is read as Python reads it', async () => {
    const by27 = recorded()[name] as Reading
    const by3 = await python3.read(textOf(name))
    const wanted = expected(name, by27, by3)
    const found = read(textOf(name))
    if ('error' in wanted) expect(found).toHaveProperty('error')
    else expect(found).toEqual(wanted)
  })

  test('keeps everything but the id when that is written, for Python and here', async ({
    skip,
  }) => {
    const before = textOf(name)
    if ('error' in read(before)) skip('it is refused')
    const pythons = asPython3.has(name) ? [python3] : [python27, python3]
    await expectOnlyIdChanged(before, ID, pythons)
    expect(linesLost(before, setIniValue(before, 'oxd', 'id', ID))).toBeLessThanOrEqual(1)
  })
})

describe('any cfg', () => {
  test.each([
    ['LF', plainCfg],
    ['CRLF', plainCfgCrlf],
  ])('of plain lines, ended by %s, is read as Python 3 reads it', async (_, cfg) => {
    await fc.assert(
      fc.asyncProperty(cfg, async (text) => {
        const by3 = await python3.read(text)
        // What it refuses is Python 2.7's to judge, or nobody's.
        if ('sections' in by3) expect(read(text)).toEqual(withoutBlankLines(by3))
      }),
      { numRuns: 1000 },
    )
  })

  test.skipIf(!python27)('is read as Python 2.7 reads it, and else as Python 3', async () => {
    await fc.assert(
      fc.asyncProperty(nastyCfg, async (text) => {
        const [by27, by3] = await readByBoth(text)
        if ('sections' in by27) expect(read(text)).toEqual(by27)
        else if ('sections' in by3 && !isReadApart(text)) {
          expect(read(text)).toEqual(withoutBlankLines(by3))
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('keeps everything but the id when that is written, for Python and here', async () => {
    await fc.assert(
      fc.asyncProperty(nastyCfg, idValue, async (text, id) => {
        if ('error' in read(text)) return
        await expectOnlyIdChanged(text, id, [python27, python3])
        expect(setIniValue(setIniValue(text, 'oxd', 'id', id), 'oxd', 'id', id)).toBe(
          setIniValue(text, 'oxd', 'id', id),
        )
      }),
      { numRuns: 1000 },
    )
  })
})

/** What reads back as it is; in Python 2.7 too, which does not know all white space. */
const idValue = fc
  .oneof(fc.uuid(), fc.constantFrom('', 'a;b', ';a', '#a', 'a # b', '[a]', '100%%', '"a"', 'a=b:c'))
  .filter((value) => readIniValue(value).value === value)

async function readByBoth(text: string): Promise<[Reading, Reading]> {
  return [(await python27?.read(text)) ?? { error: 'not installed' }, await python3.read(text)]
}

/** Constructs that only Python 2.7 knows, and that stand in a file it refuses for other reasons. */
function isReadApart(text: string): boolean {
  return /\s;|""|^\uFEFF?rem\b|\n\s*rem\b|\].*\]|; /i.test(text)
}

/** Python 3 keeps blank lines inside of values; they mean nothing in any key. */
function withoutBlankLines(reading: { sections: Sections }): Reading {
  const without = (value: string | null) => value?.replace(/\n+/g, '\n')
  return mapEntries(reading, ({ value, raw }) => ({
    value: without(value) ?? null,
    raw: without(raw) as string,
  }))
}

async function expectOnlyIdChanged(
  before: string,
  id: string,
  pythons: (ConfigParser | undefined)[],
): Promise<void> {
  const after = setIniValue(before, 'oxd', 'id', id)
  const here = read(before)
  expect(raws(read(after))).toEqual(raws(here, id))
  for (const python of pythons) {
    const was = await python?.read(before)
    if (!python || !was || 'error' in was || 'error' in here) continue
    // Of `[oxd]]` Python 3 makes another section.
    if (`${Object.keys(was.sections).sort()}` !== `${Object.keys(here.sections).sort()}`) continue
    expect(raws(await python.read(after))).toEqual(raws(was, id))
  }
}

/** Values as they stand, with another id in `[oxd]` if one is given. */
function raws(reading: Reading, id?: string): unknown {
  if ('error' in reading) return reading
  const { sections } = mapEntries(reading, ({ raw }) => raw)
  if (id === undefined) return sections
  return { ...sections, oxd: { ...(sections['oxd'] ?? sections['DEFAULT']), id } }
}

function mapEntries<T>({ sections }: { sections: Sections }, change: (entry: Entry) => T) {
  const changed = Object.entries(sections).map(([name, entries]): [string, Record<string, T>] => [
    name,
    Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, change(entry)])),
  ])
  return { sections: Object.fromEntries(changed) }
}

/** How many lines of one text another lacks. */
function linesLost(before: string, after: string): number {
  const left = after.replace('\uFEFF', '').split(/\r\n|\r|\n/)
  let lost = 0
  for (const line of before.replace('\uFEFF', '').split(/\r\n|\r|\n/)) {
    const at = left.indexOf(line)
    if (at === -1) lost += 1
    else left.splice(at, 1)
  }
  return lost
}
