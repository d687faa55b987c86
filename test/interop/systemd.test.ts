/** relyd as a service of a real systemd: installed, confined, restarted, watched and taken away. */
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { BootedHost, canBoot } from '../support/booted_host.js'
import { EndUser } from '../support/end_user.js'
import { redirect_uri } from '../support/site.js'
import { Wire } from '../support/wire.js'

const CFG = '/etc/relyd/relyd.cfg'
const SITE = '/run/relyd/relyd.sock'
const SHOP = '/run/relyd/shop.sock'

/** A call that the filter does not let pass ends the daemon, instead of being refused. */
const STRICT = '[Service]\nSystemCallErrorNumber=kill\nWatchdogSec=2\n'

describe.skipIf(!canBoot())('on a host with systemd', () => {
  let host: BootedHost
  let op: Op

  // One story: each chapter begins where the one before ended.
  test('relyd is installed, serves and is taken away', async () => {
    op = await startOp()
    onTestFinished(() => op.close())
    await using booted = await BootedHost.boot()
    host = booted
    const said = await host.ok('relyd', 'service', 'install')
    expect(said).toContain('systemctl enable --now relyd.service')
    const key = readFileSync(host.at('/etc/relyd/store.key'), 'utf8')
    expect(statSync(host.at('/etc/relyd/store.key'))).toMatchObject({ uid: 0, mode: 0o100600 })
    await host.ok('mkdir', '/etc/systemd/system/relyd.service.d')
    writeFileSync(host.at('/etc/systemd/system/relyd.service.d/strict.conf'), STRICT)
    writeFileSync(
      host.at(CFG),
      '[daemon]\ninsecure_op_hosts = 127.0.0.1, localhost\n[listener site]\naddress = unix:/run/relyd/relyd.sock\n',
    )
    await host.ok('systemctl', 'daemon-reload')
    await host.ok('systemctl', 'enable', '--now', 'relyd.service')
    expect(await host.show('relyd.service', 'StatusText')).toBe(`Listens on unix:${SITE}`)
    expect(await owner(SITE)).toBe('root relyd 660')
    expect(await owner('/run/relyd')).toBe('root root 755')
    expect(await owner('/var/lib/relyd')).toBe('relyd relyd 700')
    // It came as a credential: the daemon has made none.
    expect(existsSync(host.at('/var/lib/relyd/keys'))).toBe(false)

    const oxd_id = await register()
    await logIn(oxd_id)

    // Run again, it changes neither key nor configuration.
    const cfg = readFileSync(host.at(CFG), 'utf8')
    await host.ok('relyd', 'service', 'install', '--socket', 'shop:www-data')
    expect(readFileSync(host.at('/etc/relyd/store.key'), 'utf8')).toBe(key)
    expect(readFileSync(host.at(CFG), 'utf8')).toBe(cfg)

    // Another website gets its own socket by a restart, and who connects meanwhile is served.
    appendFileSync(host.at(CFG), `[listener shop]\naddress = unix:${SHOP}\nrealm = shop\n`)
    await host.ok('systemctl', 'enable', 'relyd-shop.socket')
    const login = await startLogIn(oxd_id)
    await unharmed(() => host.ok('systemctl', 'restart', 'relyd.service'))
    await login.complete()
    expect(await owner(SHOP)).toBe('www-data www-data 600')
    expect(await owner(SITE)).toBe('root relyd 660')
    {
      using wire = await Wire.connect(host.at(SHOP))
      expect(await wire.refused('get_site', { oxd_id })).toMatchObject({ error: 'invalid_oxd_id' })
    }

    // A reload, which systemd sees begin and end.
    appendFileSync(host.at(CFG), '[realm shop]\ntokens = daemon\n')
    await host.ok('systemctl', 'reload', 'relyd.service')
    await expect
      .poll(() => host.show('relyd.service', 'StatusText'), { timeout: 10_000 })
      .toMatch(/relyd\.cfg is reloaded$/)
    expect(await host.show('relyd.service', 'ActiveState')).toBe('active')

    // Another key, made by root beside the running daemon, which stays the owner of its files.
    await host.ok('relyd', 'key', 'add', '--key-file', '/etc/relyd/store.key')
    const keys = readFileSync(host.at('/etc/relyd/store.key'), 'utf8')
    await host.ok('systemctl', 'restart', 'relyd.service')
    await logIn(oxd_id)
    expect(await host.ok('find', '/var/lib/relyd', '!', '-user', 'relyd')).toBe('')
    expect(await host.ok('relyd', 'status')).toContain(SHOP)

    // A daemon that hangs or is killed is another one soon, at the same sockets.
    const restarts = Number(await host.show('relyd.service', 'NRestarts'))
    await host.ok('systemctl', 'kill', '--kill-whom=main', '-s', 'STOP', 'relyd.service')
    await serves()
    await host.ok('systemctl', 'kill', '--kill-whom=main', '-s', 'KILL', 'relyd.service')
    await serves()
    expect(Number(await host.show('relyd.service', 'NRestarts'))).toBe(restarts + 2)
    expect(await owner(SHOP)).toBe('www-data www-data 600')
    await logIn(oxd_id)

    // A mistake in relyd.cfg costs no socket: whoever connects waits until it is mended.
    const good = readFileSync(host.at(CFG), 'utf8')
    writeFileSync(host.at(CFG), `${good}nonsense = 1\n`)
    expect((await host.run('systemctl', 'restart', 'relyd.service')).status).not.toBe(0)
    const tried = async () => Number(await host.show('relyd.service', 'NRestarts'))
    // More often than systemd lets a unit start by itself (StartLimitBurst=).
    await expect.poll(tried, { timeout: 60_000, interval: 500 }).toBeGreaterThan(5)
    const waiting = serves()
    writeFileSync(host.at(CFG), good)
    await waiting
    await logIn(oxd_id)

    // Nothing that the daemon did in all this time was forbidden.
    const journal = await host.ok('journalctl', '--no-pager', '-o', 'cat')
    expect(journal).not.toMatch(/SIGSYS|status=31/)

    const gone = await host.ok('relyd', 'service', 'uninstall')
    expect(gone).toMatch(/kept +\/var\/lib\/relyd/)
    for (const path of [SITE, SHOP, '/etc/systemd/system/relyd.service']) {
      expect(existsSync(host.at(path))).toBe(false)
    }
    expect((await host.run('systemctl', 'is-active', 'relyd.service')).status).not.toBe(0)
    expect(readFileSync(host.at('/etc/relyd/store.key'), 'utf8')).toBe(keys)
    await host.ok('relyd', 'service', 'uninstall', '--purge')
    expect(existsSync(host.at('/var/lib/relyd'))).toBe(false)
    expect(existsSync(host.at('/etc/relyd'))).toBe(false)
  }, 180_000)

  async function owner(path: string): Promise<string> {
    return (await host.ok('stat', '-c', '%U %G %a', path)).trim()
  }

  async function serves(): Promise<void> {
    using wire = await Wire.connect(host.at(SITE))
    await wire.ok('ping')
  }

  /** Connections one after the other, none of them refused or left without an answer, until the work is done. */
  async function unharmed(work: () => Promise<unknown>): Promise<void> {
    let done = false
    const passing = async () => {
      while (!done) {
        using wire = await Wire.connect(host.at(SITE))
        const { status, data } = await wire.call('ping')
        if (status !== 'ok') expect(data.error).toBe('shutting_down')
      }
    }
    const passers_by = Promise.all([passing(), passing()])
    await Promise.all([passers_by, work().finally(() => (done = true))])
  }

  async function register(): Promise<string> {
    using wire = await Wire.connect(host.at(SITE))
    // A name is looked up in the sandbox, too: the OP answers, and calls itself otherwise.
    const op_host = op.issuer.replace('127.0.0.1', 'localhost')
    const refusal = await wire.refused('register_site', {
      op_host,
      authorization_redirect_uri: redirect_uri,
    })
    expect(refusal.error_description).toContain(op.issuer)
    const { oxd_id } = await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri: redirect_uri,
    })
    return oxd_id
  }

  async function startLogIn(oxd_id: string) {
    using wire = await Wire.connect(host.at(SITE))
    const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
    return {
      async complete() {
        const callback = await new EndUser().logIn(authorization_url)
        using wire = await Wire.connect(host.at(SITE))
        const { sub } = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
        expect(sub).toBe('alice')
      },
    }
  }

  async function logIn(oxd_id: string): Promise<void> {
    await (await startLogIn(oxd_id)).complete()
  }
})
