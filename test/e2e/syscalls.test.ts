import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { hasSystemd, NotifySocket } from '../support/notify_socket.js'
import { hasStrace } from '../support/required.js'
import { redirect_uri } from '../support/site.js'
import { SocketHolder, underHolder } from '../support/socket_holder.js'
import { allowedCalls, valuesOf } from '../support/unit_filter.js'
import { Wire } from '../support/wire.js'

const unit = readFileSync('systemd/relyd.service', 'utf8')

const STRACE = ['strace', '-D', '-f', '-s', '256', '-o', '{folder}/strace']

test.skipIf(!hasSystemd() || !hasStrace())(
  'a login, a sign of life, a reload and the end make no call that the unit forbids',
  async () => {
    const trace = await traceOfALife()
    const allowed = allowedCalls(unit)
    const calls = new Set(trace.filter(isOfTheUnit).map(({ name }) => name))
    expect([...calls].filter((name) => !allowed.has(name))).toEqual([])
    // The trace is of all that was wanted: SQLite, sockets, OPs, and systemd-notify as a child.
    for (const seen of ['fsync', 'accept4', 'connect', 'execve', 'sendmsg']) {
      expect(calls).toContain(seen)
    }
    // The filter is one: these are as far from a daemon as can be.
    for (const never of ['mount', 'ptrace', 'setuid', 'bpf', 'reboot']) {
      if (allowed.has(never)) throw new Error(`the unit allows ${never}`)
    }

    const args = (...names: string[]) =>
      trace.filter(({ name }) => names.includes(name)).map((call) => call.args)
    const families = valuesOf(unit, 'RestrictAddressFamilies').join(' ').split(' ')
    const asked = args('socket', 'socketpair').flatMap((text) => /^AF_\w+/.exec(text)?.[0] ?? [])
    // Not AF_NETLINK: with it getaddrinfo asks which kinds of addresses the host has, and does without.
    const refused = new Set(asked.filter((family) => !families.includes(family)))
    expect([...refused].filter((family) => family !== 'AF_NETLINK')).toEqual([])
    expect(asked).toEqual(expect.arrayContaining(['AF_UNIX', 'AF_INET']))
    // RestrictNamespaces=
    expect(
      args('clone', 'clone3', 'unshare', 'setns').filter((text) => /CLONE_NEW/.test(text)),
    ).toEqual([])
    // RestrictSUIDSGID=
    expect(trace.filter(({ args }) => /S_IS[UG]ID|, 0[2-7][0-7]{3}\b/.test(args))).toEqual([])
    // ProtectSystem=strict and what else makes folders read-only.
    const written = args('open', 'openat', 'creat')
      .filter((text) => /O_WRONLY|O_RDWR|O_CREAT/.test(text))
      .flatMap((text) => /"([^"]*)"/.exec(text)?.[1] ?? [])
    expect(written).toContainEqual(expect.stringContaining('/state/store/relyd.db'))
    expect(written.filter((path) => !/\/state\/|^\/dev\/(null|tty)$/.test(path))).toEqual([])
  },
)

/** As root, which the unit's daemon is not, SQLite gives its files to who has them already. */
function isOfTheUnit({ name, args }: Call): boolean {
  return process.getuid?.() !== 0 || !/chown$/.test(name) || !/, 0, 0\)/.test(args)
}

interface Call {
  name: string
  args: string
}

/** The daemon as its unit starts it, from its first instruction to its end. */
async function traceOfALife(): Promise<Call[]> {
  const op = await startOp()
  await using systemd = await NotifySocket.start()
  const daemon = new TestDaemon({
    // The holder becomes strace, which becomes the daemon: they are one process to LISTEN_PID.
    under: [...underHolder, ...STRACE],
    record: false,
    daemon: { insecure_op_hosts: '127.0.0.1, localhost' },
    env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '400000' },
  })
  try {
    await using _ = await SocketHolder.start(daemon, [
      { name: 'site', kind: 'unix', address: daemon.socket },
    ])
    await daemon.start()
    expect(daemon.log.find(({ msg }) => msg === 'ready')?.['passed']).toEqual(['site'])
    {
      using wire = await Wire.connect(daemon.socket)
      using tcp = await Wire.connect({ port: daemon.port }, 'msgpack')
      // A name, which is looked up; its OP calls itself otherwise.
      await wire.refused('register_site', {
        op_host: op.issuer.replace('127.0.0.1', 'localhost'),
        authorization_redirect_uri: redirect_uri,
      })
      const { oxd_id } = await wire.ok('register_site', {
        op_host: op.issuer,
        authorization_redirect_uri: redirect_uri,
      })
      const login = await tcp.ok('get_authorization_url', { oxd_id })
      const { sub, session_id } = await wire.ok('get_tokens_by_callback', {
        oxd_id,
        callback: await new EndUser().logIn(login.authorization_url),
        binding: login.binding,
      })
      expect(sub).toBe('alice')
      await wire.ok('get_user_info', { oxd_id, session_id })
    }
    const heard = (what: string) => systemd.messages.filter(([line]) => line === what).length
    await expect.poll(() => heard('WATCHDOG=1'), { timeout: 10_000 }).toBeGreaterThan(0)
    process.kill(daemon.pid, 'SIGHUP')
    await expect.poll(() => heard('READY=1'), { timeout: 10_000 }).toBe(2)
    expect(await daemon.stop()).toBe(0)
    const path = join(daemon.folder, 'strace')
    const text = () => readFileSync(path, 'utf8')
    await expect.poll(text, { timeout: 5000 }).toMatch(/exited with 0/)
    return text()
      .split('\n')
      .flatMap((line) => {
        const [, name, args = ''] = /^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$/.exec(line) ?? []
        return name === undefined ? [] : [{ name, args }]
      })
  } finally {
    await daemon[Symbol.asyncDispose]()
    await op.close()
  }
}
