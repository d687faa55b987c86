/** Draws the texts of cfgs, plain and nasty, for property tests. */
import fc from 'fast-check'
import { isSpace } from '../../sdk/src/python_space.js'

const keys = [
  'id',
  'ID',
  'host',
  'scope',
  'x',
  'two words',
  'a.b',
  'remote',
  '"q"',
  'a#b',
  '__proto__',
]
const headers = ['[oxd]', '[client]', '[DEFAULT]', '[default]', '[ oxd ]', '[listener tcp]']
const delimiters = ['=', ':', ' = ', ' : ', '\t=\t', '= ', ' :', '==', ' =:']
const values = [
  '',
  'a',
  'https://op.example/#fragment',
  'a#b;c',
  '# a',
  'a=b:c',
  '"a b"',
  "''",
  'true',
  '[x]',
  'Zürich 漢字 🙂',
  'C:\\new\\n',
  '100%%',
  '%(x)s',
  '%(X)s/%(host)s',
  '%(nowhere)s',
  '50% off',
  '%(id)s%(id)s',
  'a\u2028b',
  '\uFEFF',
  ';a',
]

/** Both Pythons read these alike, if they read them at all. */
const plainLines = fc.oneof(
  { weight: 6, arbitrary: entry(fc.constantFrom(...values)) },
  { weight: 2, arbitrary: fc.constantFrom(...headers) },
  { weight: 1, arbitrary: fc.constantFrom('# comment', '; comment', '#', ';', '', '#id = 1') },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom(' ', '  ', '\t', ' \t'),
        fc.constantFrom('b,', 'c = d', '[oxd]', '%(x)s'),
      )
      .map((parts) => parts.join('')),
  },
)

/** Where the Pythons differ, or refuse. */
const nastyLines = fc.oneof(
  { weight: 4, arbitrary: plainLines },
  {
    weight: 2,
    arbitrary: entry(fc.constantFrom('""', '"" ; c', 'a ; b', 'a; b ;c', '; a ', 'a\t;b', 'a  ')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'rem x',
      'REM',
      'rem = 1',
      '   ',
      '\t',
      '\v',
      '[oxd] x',
      '[oxd]]',
      '[]',
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('[a', '[a = b', 'x', '= x', '  host = x', '  [client]') },
  { weight: 1, arbitrary: entry(anyText()) },
)

/** Without white space that Python 2.7 does not know, and line endings. */
function anyText(): fc.Arbitrary<string> {
  return fc
    .string({ unit: 'binary', maxLength: 8 })
    .filter((text) => [...text].every((one) => one === ' ' || one === '\t' || !isSpace(one)))
}

function entry(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...keys), fc.constantFrom(...delimiters), value)
    .map((parts) => parts.join(''))
}

function file(line: fc.Arbitrary<string>, endings: readonly string[]): fc.Arbitrary<string> {
  return fc
    .record({
      bom: fc.constantFrom('', '', '\uFEFF'),
      first: fc.constantFrom(...headers),
      lines: fc.array(fc.tuple(line, fc.constantFrom(...endings)), { maxLength: 12 }),
      last: fc.constantFrom('', '\n'),
    })
    .map(({ bom, first, lines, last }) => {
      const below = lines.map(([text, ending]) => `${ending}${text}`).join('')
      return `${bom}${first}${below}${last}`
    })
}

export const plainCfg = file(plainLines, ['\n'])
export const plainCfgCrlf = file(plainLines, ['\r\n'])
export const nastyCfg = file(nastyLines, ['\n'])
