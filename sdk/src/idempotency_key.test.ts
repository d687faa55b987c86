/** One cfg gets one key, from however many processes and however they end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ConfigError } from './errors.js'
import { ensureIdempotencyKey, forgetRegistration, storeId } from './idempotency_key.js'
import { parseIniFile } from './ini_file.js'

const EMPTY = '# A site\n[oxd]\nid =\nidempotency_key =\n\n[client]\nx = 1\n'
const KEY = 'k'.repeat(43)

function newCfg(contents: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
  onTestFinished(() => {
    chmodSync(folder, 0o700)
    rmSync(folder, { recursive: true, force: true })
  })
  const path = join(folder, 'site.cfg')
  writeFileSync(path, contents, { mode: 0o600 })
  return path
}

function valueIn(path: string, key: string): string | undefined {
  return parseIniFile(readFileSync(path, 'utf8'), path).sections.get('oxd')?.get(key)?.value
}

test('a cfg without key gets one of 43 characters, and nothing else changes', () => {
  const path = newCfg(EMPTY)
  const state = ensureIdempotencyKey(path)
  const key = valueIn(path, 'idempotency_key')
  expect(key).toMatch(/^[\w-]{43}$/)
  expect(state).toEqual({ idempotency_key: key })
  expect(readFileSync(path, 'utf8')).toBe(
    EMPTY.replace('idempotency_key =', `idempotency_key = ${key}`),
  )
  expect(readdirSync(join(path, '..'))).toEqual(['site.cfg'])
})

test('a cfg keeps the key, or the id, that it has', () => {
  const path = newCfg(`[oxd]\nidempotency_key = ${KEY}\n`)
  expect(ensureIdempotencyKey(path)).toEqual({ idempotency_key: KEY })
  expect(ensureIdempotencyKey(newCfg('[oxd]\nid = abc\n'))).toEqual({ id: 'abc' })
})

test('the key that a process left before it was killed is used', () => {
  const path = newCfg(EMPTY)
  writeFileSync(`${path}.key`, KEY)
  expect(ensureIdempotencyKey(path)).toEqual({ idempotency_key: KEY })
  expect(existsSync(`${path}.key`)).toBe(false)
})

test('a file in the place of the key that is none of ours is not overwritten', () => {
  const path = newCfg(EMPTY)
  writeFileSync(`${path}.key`, 'something else')
  expect(() => ensureIdempotencyKey(path)).toThrow(ConfigError)
  expect(readFileSync(`${path}.key`, 'utf8')).toBe('something else')
})

test('the file of the key is beside the file itself, whatever links lead to it', () => {
  const path = newCfg(EMPTY)
  const link = join(path, '..', 'link.cfg')
  symlinkSync(path, link)
  writeFileSync(`${path}.key`, KEY)
  expect(ensureIdempotencyKey(link)).toEqual({ idempotency_key: KEY })
})

test('an id is written for the key it was registered with only', () => {
  const path = newCfg(`[oxd]\nidempotency_key = ${KEY}\n`)
  storeId(path, 'other', 'x'.repeat(43))
  expect(valueIn(path, 'id')).toBeUndefined()
  storeId(path, 'abc', KEY)
  expect(valueIn(path, 'id')).toBe('abc')
})

test('a forgotten registration does not come back from what a killed process left', () => {
  const path = newCfg(`[oxd]\nid = abc\nidempotency_key = ${KEY}\n`)
  writeFileSync(`${path}.key`, KEY)
  forgetRegistration(path)
  expect(valueIn(path, 'id')).toBe('')
  const state = ensureIdempotencyKey(path)
  expect(state).toHaveProperty('idempotency_key', expect.stringMatching(/^[\w-]{43}$/))
  expect(state).not.toEqual({ idempotency_key: KEY })
})

test.each([
  ['nobody is killed', () => undefined],
  ['some are killed early', (at: number) => (at < 14 ? at + 1 : undefined)],
  ['some are killed halfway', (at: number) => (at < 14 ? at + 15 : undefined)],
  ['some are killed late', (at: number) => (at < 14 ? at + 29 : undefined)],
  ['everybody is killed', (at: number) => at + 1],
])(
  'twenty processes that start at once agree on one key: %s',
  async (_, killPoint) => {
    const path = newCfg(EMPTY)
    const processes = Array.from({ length: 20 }, (_, at) => keyProcess(path, killPoint(at)))
    await Promise.all(processes.map(({ ready }) => ready))
    for (const { go } of processes) go()
    const keys = (await Promise.all(processes.map(({ key }) => key))).filter((key) => key !== '')
    const state = ensureIdempotencyKey(path)
    expect(new Set([...keys, valueIn(path, 'idempotency_key')]).size).toBe(1)
    expect(state).toEqual({ idempotency_key: valueIn(path, 'idempotency_key') })
    expect(valueIn(path, 'idempotency_key')).toMatch(/^[\w-]{43}$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  },
  30_000,
)

test('a read-only cfg with a key serves, and says that an id cannot be written', async () => {
  const path = newCfg(`[oxd]\nidempotency_key = ${KEY}\n`)
  const said = await asOrdinaryUser(
    path,
    `print(() => [ensureIdempotencyKey(path).idempotency_key, storeId(path, 'abc', '${KEY}')])`,
  )
  expect(said).toBe(`["${KEY}",false]`)
})

test('a writable cfg in a closed folder takes the id', async () => {
  const path = newCfg(`[oxd]\nidempotency_key = ${KEY}\n`)
  const said = await asOrdinaryUser(path, `print(() => storeId(path, 'abc', '${KEY}'))`, 0o666)
  expect(said).toBe('true')
  expect(valueIn(path, 'id')).toBe('abc')
})

/** The compiled module, for processes of their own. */
const MODULE = JSON.stringify(new URL('../dist/idempotency_key.js', import.meta.url))

function run(script: string) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return { child, output: once(child, 'close').then(() => output) }
}

/**
 * A process that waits for `go`, then prints the cfg's key, or kills itself before its call number
 * `killPoint` to the file system.
 */
function keyProcess(path: string, killPoint: number | undefined) {
  const { child, output } = run(`
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    import { ensureIdempotencyKey } from ${MODULE}
    process.stdout.write('ready:')
    process.stdin.resume().on('end', () => {
      let calls = 0
      for (const name of Object.keys(fs).filter((name) => name.endsWith('Sync'))) {
        const original = fs[name]
        fs[name] = (...args) => {
          calls += 1
          if (calls === ${killPoint}) process.kill(process.pid, 'SIGKILL')
          return original(...args)
        }
      }
      syncBuiltinESMExports()
      process.stdout.write(ensureIdempotencyKey(${JSON.stringify(path)}).idempotency_key)
    })`)
  return {
    ready: once(child.stdout, 'data'),
    go: () => child.stdin.end(),
    key: output.then((text) => text.replace('ready:', '')),
  }
}

/** Runs a script, as nobody if need be, on a cfg of that mode in a folder it may not write. */
async function asOrdinaryUser(path: string, script: string, mode = 0o444): Promise<string> {
  chmodSync(path, mode)
  chmodSync(join(path, '..'), 0o555)
  const { child, output } = run(`
    import { ensureIdempotencyKey, storeId } from ${MODULE}
    const path = ${JSON.stringify(path)}
    function print(work) {
      try {
        process.stdout.write(JSON.stringify(work()))
      } catch (error) {
        process.stdout.write(error.name + ' ' + error.message)
      }
    }
    if (process.getuid() === 0) {
      process.setgroups([])
      process.setgid(65534)
      process.setuid(65534)
    }
    ${script}`)
  child.stdin.end()
  return output
}
