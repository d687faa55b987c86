/** A daemon that cannot be reached: each reason told apart, with what mends it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectTo, listen, newFolder, transportError } from '../../test/support/bent_daemon.js'
import { isRoot } from '../../test/support/required.js'
import { runOnSdk } from '../../test/support/sdk_process.js'
import { Connection } from './connection.js'
import type { Address } from './site_address.js'
import { readSiteConfig } from './site_config.js'

const RUNNING = /systemctl status relyd.*relyd serve/

async function refusal(address: Address): Promise<string> {
  const connection = new Connection(address, 5000)
  onTestFinished(() => connection.close())
  const began = performance.now()
  const error = await connection.call('ping', {}, 'safe').then(String, (error: Error) => error)
  expect(error).toEqual(transportError('ERR_UNREACHABLE', 'not_executed'))
  expect(performance.now() - began).toBeLessThan(2000)
  return (error as Error).message
}

/** A process that listens, and does something to itself then. */
async function listener(path: string, then: 'SIGKILL' | 'SIGSTOP', backlog = 1) {
  const script = `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: ${backlog} }, () => {
    console.log('listening')
    setImmediate(() => process.kill(process.pid, '${then}'))
  })`
  const child = spawn(process.execPath, ['--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

test('no socket', async () => {
  const path = join(newFolder(), 'relyd.sock')
  const words = await refusal({ path })
  expect(words).toContain(`there is no socket ${path}`)
  expect(words).toMatch(RUNNING)
})

test('a stale socket', async () => {
  const path = join(newFolder(), 'relyd.sock')
  await once(await listener(path, 'SIGKILL'), 'close')
  expect(await refusal({ path })).toMatch(/nobody listens on .*relyd\.sock, a stale socket/)
  expect(await refusal({ path })).toMatch(RUNNING)
})

test.each([
  ['a file', (path: string) => writeFileSync(path, '')],
  ['a folder', (path: string) => mkdirSync(path)],
])('%s in its place', async (what, make) => {
  const path = join(newFolder(), 'relyd.sock')
  make(path)
  expect(await refusal({ path })).toContain(`${path} is ${what}, not a socket. Correct "socket"`)
})

test('a path through a file', async () => {
  const file = join(newFolder(), 'file')
  writeFileSync(file, '')
  expect(await refusal({ path: join(file, 'relyd.sock') })).toMatch(/a part of the path is a file/)
})

test('a path longer than the kernel takes, which must not be cut short', async () => {
  const folder = newFolder()
  const long = join(folder, 'x'.repeat(120))
  // Where a path cut short would lead.
  const peer = await listen(({ ok }) => ok('pong'), long.slice(0, 107))
  expect(await refusal({ path: long })).toMatch(/has \d+ bytes, and a socket's may have 10[37]/)
  expect(await connectTo(peer.path).call('ping', {}, 'safe')).toBe('pong')
})

test.runIf(process.platform === 'linux')(
  'a daemon that hangs, and whose queue is full',
  async () => {
    const path = join(newFolder(), 'relyd.sock')
    const { pid } = await listener(path, 'SIGSTOP')
    // Until then it accepts.
    await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8')).toMatch(/\) T /)
    const waiting: Socket[] = []
    onTestFinished(() => {
      for (const socket of waiting) socket.destroy()
    })
    const fill = () =>
      new Promise<string>((resolve) => {
        const socket = connect(path, () => resolve('connected'))
        waiting.push(socket)
        socket.on('error', ({ message }) => resolve(message))
      })
    await expect.poll(fill, { interval: 1 }).toMatch('EAGAIN')
    expect(await refusal({ path })).toMatch(/too many wait already.*systemctl restart relyd/)
  },
)

test('a port where nobody listens', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  for (const host of ['127.0.0.1', 'localhost']) {
    const words = await refusal({ host, port })
    expect(words).toContain(`nobody listens on ${host}:${port}`)
    expect(words).toMatch(RUNNING)
  }
})

test('an address from the environment is corrected there', async () => {
  const folder = newFolder()
  const cfg = join(folder, 'site.cfg')
  const redirect = 'authorization_redirect_uri = https://site.example/callback'
  writeFileSync(cfg, `[oxd]\nhost = localhost\nport = 1\n[client]\n${redirect}\n`)
  const told = (env: object) => refusal(readSiteConfig(cfg, { ...env }).address)
  expect(await told({ RELYD_SOCKET: 'relyd.sock' })).toMatch(/; or correct RELYD_SOCKET$/)
  expect(await told({ RELYD_SOCKET: '.' })).toMatch(
    /a folder, not a socket\. Correct RELYD_SOCKET:/,
  )
  expect(await told({ RELYD_SOCKET: join(cfg, 'x') })).toMatch(/a file\. Correct RELYD_SOCKET$/)
  expect(await told({ RELYD_SOCKET: 'x'.repeat(120) })).toMatch(
    /relyd\.cfg and as RELYD_SOCKET, then/,
  )
  expect(await told({ RELYD_PORT: '2' })).toMatch(/; or RELYD_PORT is wrong$/)
  // Each part by itself: this one's port is the cfg's.
  expect(await told({ RELYD_HOST: '127.0.0.1' })).toMatch(/; or "port" in the site's cfg is wrong$/)
})

test('a host that nobody knows', async () => {
  // Without a name server it is nobody that says so.
  expect(await refusal({ host: 'relyd.invalid', port: 8099 })).toMatch(
    /host of relyd\.invalid:8099 is not known; correct "host"|name servers do not answer.*getent hosts/,
  )
})

describe.skipIf(!isRoot())('permission denied to another user', () => {
  const DAEMON = 65_533

  /** What a site's process is told, as a user of its own. */
  async function refusedTo(path: string): Promise<string> {
    const { output } = runOnSdk(
      `process.setgroups([])
      process.setgid(65534)
      process.setuid(65534)
      connection.call('ping', {}, 'safe').catch((error) => console.log(error.code, error.message))`,
      path,
    )
    return output
  }

  /** Modes and group of the folder and its socket. */
  async function socketWith(folder: number, socket: number, gid = DAEMON): Promise<string> {
    const { path } = await listen(({ ok }) => ok('pong'))
    chownSync(path, DAEMON, gid)
    chownSync(dirname(path), DAEMON, gid)
    chmodSync(path, socket)
    chmodSync(dirname(path), folder)
    onTestFinished(() => chmodSync(dirname(path), 0o700))
    return path
  }

  test('by its group: the command that adds the user', async () => {
    const path = await socketWith(0o755, 0o660)
    expect(await refusedTo(path)).toMatch(
      `permission denied: user nobody may not write to ${path}. Add the user to its group: as root, "usermod -aG $(stat -c %G ${path}) nobody"; then restart the site`,
    )
  })

  test('by the folder: its group', async () => {
    const path = await socketWith(0o750, 0o660)
    expect(await refusedTo(path)).toMatch(
      `may not enter ${dirname(path)}. Add the user to its group: as root, "usermod -aG $(stat -c %G ${dirname(path)}) nobody"`,
    )
  })

  test('by a mode that shuts the group out', async () => {
    expect(await refusedTo(await socketWith(0o755, 0o600))).toMatch(
      /Its mode is 0600; set "mode = 0660" for the listener in relyd\.cfg, then "systemctl restart relyd"/,
    )
    const path = await socketWith(0o700, 0o660)
    expect(await refusedTo(path)).toMatch(`Its mode is 0700; as root, "chmod g+x ${dirname(path)}"`)
  })

  test('by the group root, into which no website belongs', async () => {
    const words = await refusedTo(await socketWith(0o755, 0o660, 0))
    expect(words).toMatch(/It is of the group root; as root, "chgrp /)
    expect(words).not.toMatch(/usermod/)
  })
})
