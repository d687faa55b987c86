/** `relyd service`: what it lays down is what systemd takes, and nothing else is touched. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Ended, relyd } from '../support/cli.js'
import { Image } from '../support/image.js'
import { hasSystemd } from '../support/notify_socket.js'
import { isRoot } from '../support/required.js'

const UNITS = '/etc/systemd/system'

let image: Image

beforeEach(() => {
  image = new Image()
})

afterEach(() => image[Symbol.dispose]())

function service(command: string, ...args: string[]): Promise<Ended> {
  return relyd(['service', command, '--root', image.root, ...args])
}

async function install(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await service('install', ...args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

test('lays down units, user, folders and configuration, and says what is next', async () => {
  const stdout = await install('--socket', 'shop:www-shop', '--socket', 'blog:www-blog:blog')
  expect(image.files('/etc')).toEqual([
    '644 /etc/relyd/relyd.cfg',
    '644 /etc/systemd/system/relyd-blog.socket',
    '644 /etc/systemd/system/relyd-shop.socket',
    '644 /etc/systemd/system/relyd.service',
    '644 /etc/systemd/system/relyd.socket',
    '644 /etc/sysusers.d/relyd.conf',
    '644 /etc/tmpfiles.d/relyd.conf',
  ])
  expect(image.text('/etc/relyd/relyd.cfg')).toBe(readFileSync('daemon/relyd.cfg', 'utf8'))
  // As the generator has it for these paths.
  for (const unit of ['relyd.service', 'relyd.socket']) {
    expect(image.text(`${UNITS}/${unit}`)).toBe(readFileSync(`systemd/${unit}`, 'utf8'))
  }
  for (const unit of ['relyd-shop.socket', 'relyd-blog.socket']) {
    expect(image.text(`${UNITS}/${unit}`)).toBe(readFileSync(`systemd/example/${unit}`, 'utf8'))
  }
  expect(stdout).toContain(`systemctl --root=${image.root} enable relyd.service relyd-shop.socket`)
  expect(stdout).toMatch(/relyd key add --key-file \/etc\/relyd\/store\.key/)
})

test('run again, it brings its own files up to date and leaves all others', async () => {
  await install()
  const unit = image.text(`${UNITS}/relyd.service`)
  const [header] = unit.split('\n')
  image.put(`${UNITS}/relyd.service`, `${header}\n[Service]\nExecStart=/usr/bin/older\n`)
  image.put(`${UNITS}/relyd.socket`, '[Socket]\nListenStream=/run/mine\n')
  image.put('/etc/relyd/relyd.cfg', '# mine\n')
  rmSync(image.at('/etc/tmpfiles.d/relyd.conf'))
  symlinkSync('/dev/null', image.at('/etc/tmpfiles.d/relyd.conf'))
  const stdout = await install()
  expect(image.text(`${UNITS}/relyd.service`)).toBe(unit)
  expect(image.text(`${UNITS}/relyd.socket`)).toBe('[Socket]\nListenStream=/run/mine\n')
  expect(image.text('/etc/relyd/relyd.cfg')).toBe('# mine\n')
  expect(image.files('/etc')).toContain('777 /etc/tmpfiles.d/relyd.conf')
  expect(stdout.split('\n').slice(0, 5)).toEqual([
    `replaced ${UNITS}/relyd.service`,
    expect.stringMatching(
      /^KEPT +\/etc\/systemd\/system\/relyd\.socket: relyd did not lay it down/,
    ),
    'same     /etc/sysusers.d/relyd.conf',
    expect.stringMatching(/^KEPT +\/etc\/tmpfiles\.d\/relyd\.conf: it is a link/),
    'kept     /etc/relyd/relyd.cfg: it is there already',
  ])
})

test('run again, it brings the sockets of websites up to date, without being told of them', async () => {
  await install('--socket', 'shop:www-shop', '--socket', 'blog:www-blog:blog')
  const units = ['shop', 'blog'].map((name) => `${UNITS}/relyd-${name}.socket`)
  const before = units.map((unit) => image.text(unit))
  for (const [n, unit] of units.entries()) image.put(unit, `${before[n]}# of an older version\n`)
  const said = await install()
  expect(units.map((unit) => image.text(unit))).toEqual(before)
  for (const unit of units) expect(said).toContain(`replaced ${unit}`)
  await install('--socket', 'shop:www-other')
  expect(image.text(units[0] as string)).toContain('SocketUser=www-other')
})

test('--dry-run says what would be done, and does nothing', async () => {
  /** What was done, as a dry run says it. */
  const would = (said: string) =>
    said
      .replace(/^(wrote|replaced|removed) +/gm, (_, did: 'wrote' | 'replaced' | 'removed') =>
        `would ${{ wrote: 'write', replaced: 'replace', removed: 'remove' }[did]}`.padEnd(14),
      )
      .replace(/^(same|kept) +/gm, (_, left: string) => left.padEnd(14))
  const planned = await install('--dry-run')
  expect(planned).toMatch(/^would write {3}\/etc\/systemd\/system\/relyd\.service$/m)
  expect(image.files('/etc')).toEqual([])
  expect(would(await install())).toBe(planned)
  image.put('/var/lib/relyd/store/relyd.db', 'sites')
  const before = image.files('/')
  const left = await service('uninstall', '--dry-run')
  expect(left.stdout).toMatch(/^would remove {2}\/etc\/systemd\/system\/relyd\.service$/m)
  expect(left.stdout).not.toMatch(/^removed/m)
  await service('uninstall', '--purge', '--dry-run')
  expect(image.files('/')).toEqual(before)
  expect(would((await service('uninstall')).stdout)).toBe(left.stdout)
})

test('a socket that is none is wrong usage', async () => {
  const { status, stderr } = await service('install', '--socket', 'shop')
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: expect.stringMatching(/^relyd: --socket "shop" must be LISTENER:USER/),
  })
  expect(image.files('/etc')).toEqual([])
})

test("links of an image lead to the image's own folders, not to the host's", async () => {
  const outside = mkdtempSync(join(tmpdir(), 'relyd-outside-'))
  try {
    mkdirSync(image.at('/etc/systemd'), { recursive: true })
    // To a folder of the host, and up beyond the image's root.
    symlinkSync(outside, image.at(UNITS))
    symlinkSync(`../../../../../../../..${outside}`, image.at('/etc/relyd'))
    mkdirSync(image.at(outside), { recursive: true })
    await install()
    expect(image.files(outside)).toContain(`644 ${outside}/relyd.service`)
    expect(image.files(outside)).toContain(`644 ${outside}/relyd.cfg`)
    await service('uninstall', '--purge')
    expect(image.files(outside)).toEqual([])
    expect(existsSync(join(outside, 'relyd.service'))).toBe(false)
  } finally {
    rmSync(outside, { recursive: true })
  }
})

test('uninstall takes away what it laid down, enabled or not, and keeps what is precious', async () => {
  await install('--socket', 'shop:www-shop')
  image.put('/etc/relyd/store.key', 'key', 0o600)
  image.put('/var/lib/relyd/store/relyd.db', 'sites')
  image.put(`${UNITS}/relyd.service.d/mine.conf`, '[Service]\n')
  image.put(`${UNITS}/relyd-mine.socket`, '[Socket]\n')
  for (const folder of ['sockets.target.wants', 'relyd.service.wants']) {
    mkdirSync(image.at(`${UNITS}/${folder}`))
    symlinkSync(`${UNITS}/relyd.socket`, image.at(`${UNITS}/${folder}/relyd.socket`))
  }
  const { status, stdout } = await service('uninstall')
  expect(status).toBe(0)
  const kept = ['/etc/relyd/relyd.cfg', '/etc/relyd/store.key', '/var/lib/relyd']
  for (const path of kept) expect(stdout).toMatch(new RegExp(`^kept     ${path}(,.*)?$`, 'm'))
  expect([...image.files('/etc'), ...image.files('/var')]).toEqual([
    '644 /etc/relyd/relyd.cfg',
    '600 /etc/relyd/store.key',
    `644 ${UNITS}/relyd-mine.socket`,
    `644 ${UNITS}/relyd.service.d/mine.conf`,
    '644 /var/lib/relyd/store/relyd.db',
  ])
  expect((await service('uninstall', '--purge')).status).toBe(0)
  expect(existsSync(image.at('/etc/relyd'))).toBe(false)
  expect(existsSync(image.at('/var/lib/relyd'))).toBe(false)
})

test('refuses a program that the unit could not run, and writes nothing', async () => {
  const { status, stderr } = await service('install', '--node', '/home/me/bin/node')
  expect(stderr).toMatch(/^relyd: the unit cannot run \/home\/me\/bin\/node: .*--node/)
  expect(status).toBe(1)
  expect(image.files('/etc')).toEqual([])
})

describe.skipIf(!hasSystemd())('systemd', () => {
  const units = ['relyd.service', 'relyd.socket', 'relyd-shop.socket']

  function analyze(...args: string[]) {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
    return { status, stdout, stderr }
  }

  test('has nothing to say against the units', async () => {
    await install('--socket', 'shop:www-shop')
    const verify = () => analyze('verify', `--root=${image.root}`, ...units)
    expect(verify()).toEqual({ status: 0, stdout: '', stderr: '' })
    // It would have.
    image.put(`${UNITS}/relyd.socket`, `${image.text(`${UNITS}/relyd.socket`)}Foo=1\n`)
    expect(verify().stderr).toContain("Unknown key 'Foo'")
  })

  test('finds an exposure of at most 2.0, without what Node cannot live under', async () => {
    await install()
    const { status, stdout } = analyze(
      'security',
      '--offline=true',
      '--threshold=20',
      `--root=${image.root}`,
      'relyd.service',
    )
    expect(stdout).toMatch(/Overall exposure level for relyd\.service: [01]\.\d|2\.0/)
    expect(status).toBe(0)
    const unit = image.text(`${UNITS}/relyd.service`).replace(/^#.*$/gm, '')
    expect(unit).not.toMatch(/MemoryDenyWriteExecute|PrivateNetwork|IPAddressDeny/)
  })

  test.skipIf(!isRoot())('makes the user and the folder of the sockets', async () => {
    await install()
    expect(spawnSync('systemd-sysusers', [`--root=${image.root}`]).status).toBe(0)
    expect(image.text('/etc/passwd')).toMatch(/^relyd:x:\d+:\d+:.*:\/var\/lib\/relyd:\S+nologin$/m)
    expect(image.text('/etc/group')).toMatch(/^relyd:/m)
    image.put('/etc/relyd/store.key', 'key', 0o644)
    const { status } = spawnSync('systemd-tmpfiles', [`--root=${image.root}`, '--create'])
    expect(status).toBe(0)
    expect(image.files('/etc/relyd')).toContain('600 /etc/relyd/store.key')
    expect(existsSync(image.at('/run/relyd'))).toBe(true)
  })
})
