/** Files are read as ConfigParser reads them, and a change touches one line. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { setIniValue } from './ini_edit.js'
import { ConfigError, parseIniFile } from './ini_file.js'
import { readIniValue } from './ini_lines.js'

function read(text: string): Record<string, Record<string, string>> {
  const sections = [...parseIniFile(text, 'site.cfg').sections]
  return Object.fromEntries(
    sections.map(([name, entries]) => [
      name,
      Object.fromEntries([...entries].map(([key, { value }]) => [key, value])),
    ]),
  )
}

function valueIn(line: string): string | undefined {
  return read(`[a]\n${line}\n`)['a']?.['key']
}

describe('reading', () => {
  test.each([
    ['an inline # or ;', 'key = ab#cd;ef', 'ab#cd;ef'],
    ['an inline # behind white space', 'key = ab # cd', 'ab # cd'],
    ['all up to a ; behind white space', 'key = ab # cd ; ef', 'ab # cd'],
    ['a ; at the beginning', 'key = ; ab', '; ab'],
    ['nothing of an empty string', 'key = ""', ''],
    ['a fragment', 'key = https://op/#frag', 'https://op/#frag'],
    ['a colon as delimiter', 'key: 8099', '8099'],
    ['true', 'key = true', 'true'],
    ['false', 'key=false', 'false'],
    ['null', 'key=null', 'null'],
    ['a number', 'key=007', '007'],
    ['double quotes', 'key = "a b"', '"a b"'],
    ['single quotes', "key = 'a b'", "'a b'"],
    ['a lone quote', 'key = "a', '"a'],
    ['backslashes', 'key = C:\\new\\table\\;\\\\', 'C:\\new\\table\\;\\\\'],
    ['percent signs', 'key = a%40b%%', 'a%40b%%'],
    ['further delimiters', 'key = a=b:c', 'a=b:c'],
    ['brackets', 'key = [a]', '[a]'],
    ['nothing', 'key =', ''],
    ['nothing and no space', 'key=', ''],
    ['outer white space', 'key \t = \t a b \t', 'a b'],
    ['upper case', 'KEY = Value', 'Value'],
    ['line separators of Unicode', 'key = a\u2028b\u2029c', 'a\u2028b\u2029c'],
    ['letters of many bytes', 'key = Zürich 漢字 🙂', 'Zürich 漢字 🙂'],
  ])('keeps %s', (_, line, value) => {
    expect(valueIn(line)).toBe(value)
  })

  test('keeps any value that fits on a line', () => {
    fc.assert(
      fc.property(lineValue, (value) => {
        expect(valueIn(`key = ${value}`)).toBe(value)
      }),
    )
  })

  test('skips comments and blank lines, and takes a byte order mark and any line ending', () => {
    const text =
      '\uFEFF; one\r\n\r\n[a]\r\n  # two\r\nx = 1\r\n#y = 2\r\n\r\n[listener tcp] ; 3\rz:3'
    expect(read(text)).toEqual({ a: { x: '1' }, 'listener tcp': { z: '3' } })
  })

  test('joins deeper indented lines to the value, and no others', () => {
    const text = '[a]\nx = one,\n  two,\n  # comment\n\n\tthree\ny = 1\n c = 2\n [d]e\n'
    expect(read(text)).toEqual({ a: { x: 'one,\ntwo,\nthree', y: '1\nc = 2\n[d]e' } })
    expect(read('  [a]\n    x = 1\n    y = 2\n  [b]\n    x = 3\n')).toEqual({
      a: { x: '1', y: '2' },
      b: { x: '3' },
    })
  })

  test('takes names that `ini` would drop, nest or make a list of', () => {
    const text =
      '[__proto__]\n__proto__ = 1\nconstructor = 2\n[a.b]\nx[] = 1\ny.z = 2\n[a]\nx[] = 3\n'
    const { sections } = parseIniFile(text, 'site.cfg')
    expect([...sections.keys()]).toEqual(['__proto__', 'a.b', 'a'])
    expect(sections.get('__proto__')?.get('__proto__')?.value).toBe('1')
    expect(sections.get('a.b')?.get('x[]')?.value).toBe('1')
    expect(sections.get('a.b')?.get('y.z')?.value).toBe('2')
    expect(sections.get('a')?.get('x[]')?.value).toBe('3')
  })

  test('tells the lines of keys and sections', () => {
    const file = parseIniFile('# one\n[a]\n\nx = 1\n', 'site.cfg')
    expect(file.section_lines.get('a')).toBe(2)
    expect(file.sections.get('a')?.get('x')).toEqual({ value: '1', line: 4 })
  })

  test.each([
    ['a line without delimiter', '[a]\nhost\n', 2, /expected "key = value"/],
    ['a key before any section', 'x = 1\n', 1, /"x" stands before the first \[section\]/],
    ['a value without key', '[a]\n = 1\n', 2, /no key/],
    ['an open header', '[a\nx = 1\n', 1, /a section is written \[name\]/],
    ['text behind a header', '[a] b\n', 1, /a section is written \[name\]/],
    ['a nameless section', '[]\n', 1, /a section is written \[name\]/],
    ['a header that is indented too deep', '[a]\nx = 1\n [b]\n', 3, /\[b\] must not be indented/],
    ['a key given twice', '[a]\nx = 1\nX: 2\n', 3, /"x" is given twice, first on line 2/],
    ['a section given twice', '[a]\n[b]\n[a]\n', 3, /\[a\] is given twice, first on line 1/],
  ])('refuses %s, naming its line', (_, text, line, message) => {
    const attempt = () => parseIniFile(text, '/etc/site.cfg')
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(`/etc/site.cfg:${line}: `)
    expect(attempt).toThrow(message)
    expect(attempt).toThrow(expect.objectContaining({ path: '/etc/site.cfg', line }))
  })
})

describe('changing a value', () => {
  test.each([
    ['keeps spaces', '[a]\nid = 1\n', '[a]\nid = new\n'],
    ['keeps their absence', '[a]\nid=1\n', '[a]\nid=new\n'],
    ['keeps a colon', '[a]\n\tID  :  1  \n', '[a]\n\tID  :  new\n'],
    ['fills an empty value', '[a]\nid =\n', '[a]\nid = new\n'],
    ['fills an empty value with a space behind', '[a]\nid = \n', '[a]\nid = new\n'],
    ['fills a dense empty value', '[a]\nid=\n', '[a]\nid=new\n'],
    ['leaves comments', '# id = 0\n[a] ; b\n;id=0\nid=1\n#', '# id = 0\n[a] ; b\n;id=0\nid=new\n#'],
    ['keeps CRLF', '[a]\r\nid = 1\r\nx=1\r\n', '[a]\r\nid = new\r\nx=1\r\n'],
    ['keeps a byte order mark', '\uFEFF[a]\nid=1', '\uFEFF[a]\nid=new'],
    ['leaves other sections', '[b]\nid=1\n[a]\nid=1\n', '[b]\nid=1\n[a]\nid=new\n'],
    ['replaces continuation lines', '[a]\nid=1\n  2\n  # c\n  3', '[a]\nid=new\n  # c'],
    ['adds a key', '[a]\nx=1\n\n[b]\n', '[a]\nx=1\nid=new\n\n[b]\n'],
    ['adds a key to the last section', '[a]\nx: 1\n# end\n\n', '[a]\nx: 1\n# end\nid: new\n\n'],
    ['adds a key to an empty section', '[a]\n[b]\n', '[a]\nid = new\n[b]\n'],
    ['adds a key without last line ending', '[a]\r\nx = 1', '[a]\r\nx = 1\r\nid = new'],
    [
      'adds no key to the next section’s comment',
      '[a]\nx=1\n# b\n[b]',
      '[a]\nx=1\nid=new\n# b\n[b]',
    ],
    ['adds an indented key', '[a]\n  x = 1\n', '[a]\n  x = 1\n  id = new\n'],
    ['spares an indented section', '[a]\n  [b]\n  x=1\n', '[a]\n  id = new\n  [b]\n  x=1\n'],
    [
      'gives a comment behind the value a line of its own',
      '[a]\nid = 1 ; c\nx=1',
      '[a]\n; c\nid = new\nx=1',
    ],
    ['adds a section', '[b]\r\nx=1\r\n', '[b]\r\nx=1\r\n\r\n[a]\r\nid = new\r\n'],
    ['adds a section without last line ending', '[b]', '[b]\n\n[a]\nid = new'],
    ['adds a section to nothing', '', '[a]\nid = new\n'],
  ])('%s', (_, before, after) => {
    expect(setIniValue(before, 'a', 'id', 'new')).toBe(after)
    expect(read(after)['a']?.['id']).toBe('new')
  })

  test('empties a value', () => {
    expect(setIniValue('[a]\nid = 1\nx=2\n', 'a', 'id', '')).toBe('[a]\nid =\nx=2\n')
  })

  test('changes the entry that counts, of several', () => {
    const before = '[a]\nid=1\nid=2\n[b]\nid=3\n[a]\nid=4\n[b]\n'
    expect(setIniValue(before, 'a', 'id', 'new')).toBe(before.replace('4', 'new'))
  })

  test.each(['a\nb', 'a\rb', ' a', 'a\t', 'a ;b', '""', '\u3000a'])(
    'refuses %j, which would not read back',
    (value) => {
      expect(() => setIniValue('[a]\n', 'a', 'id', value)).toThrow(RangeError)
    },
  )

  test('changes its own line only, and the value reads back', () => {
    fc.assert(
      fc.property(iniText, lineValue, (text, value) => {
        const before = read(text)
        const changed = setIniValue(text, 'oxd', 'id', value)
        const after = read(changed)
        expect(after['oxd']?.['id']).toBe(value)
        const others = { ...after, oxd: { ...after['oxd'], id: undefined } }
        expect(others).toEqual({ ...before, oxd: { ...before['oxd'], id: undefined } })
        expect(linesLost(text, changed)).toBeLessThanOrEqual(1)
        expect(setIniValue(changed, 'oxd', 'id', value)).toBe(changed)
        if (!/^\uFEFF?$/.test(text)) expect(/[\r\n]$/.test(changed)).toBe(/[\r\n]$/.test(text))
        expect(changed.startsWith('\uFEFF')).toBe(text.startsWith('\uFEFF'))
      }),
      { numRuns: 500 },
    )
  })
})

const lineValue = fc
  .string({ unit: 'binary', maxLength: 30 })
  .map((value) => readIniValue(value.replace(/[\r\n]/g, '')).value)

/** Files with `[oxd]` or without, with `id` or without, in every style this reader takes. */
const iniText = fc
  .record({
    bom: fc.constantFrom('', '\uFEFF'),
    ending: fc.constantFrom('\n', '\r\n'),
    last: fc.boolean(),
    indent: fc.constantFrom('', '  '),
    sections: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom('oxd', 'client', 'listener tcp'),
        lines: fc.uniqueArray(
          fc.record({
            key: fc.constantFrom('id', 'ID2', 'socket', 'timeout', '# note', '; id', ''),
            delimiter: fc.constantFrom('=', ' = ', ':', ': ', ' =', '= '),
            value: fc.constantFrom('', 'true', 'https://op/#f', '"q"', 'a;b#c', '[x]'),
          }),
          { selector: ({ key }) => key },
        ),
      }),
      { selector: ({ name }) => name },
    ),
  })
  .map(({ bom, ending, last, indent, sections }) => {
    const lines = sections.flatMap((section) => [
      `${indent}[${section.name}]`,
      // One indent a file: a deeper line would continue the one above.
      ...section.lines.map(({ key, delimiter, value }) =>
        key === '' ? '' : `${indent}${key}${delimiter}${value}`,
      ),
    ])
    return bom + lines.join(ending) + (last && lines.length > 0 ? ending : '')
  })

/** How many lines of one text another lacks. */
function linesLost(before: string, after: string): number {
  const left = after.replace('\uFEFF', '').split(/\r\n|\n/)
  let lost = 0
  for (const line of before.replace('\uFEFF', '').split(/\r\n|\n/)) {
    const at = left.indexOf(line)
    if (at === -1) lost += 1
    else left.splice(at, 1)
  }
  return lost
}
