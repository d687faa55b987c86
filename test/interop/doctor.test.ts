/** `relyd doctor` against broken installations: it names what is broken, and its cure; a good one it leaves alone. */
import { execFile, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openKept } from '../../daemon/src/store/kept_database.js'
import { BentOp, BentSite } from '../support/bent_op/index.js'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { type Examined, examine, expectFinding, snapshot, type Wanted } from '../support/doctor.js'
import { freePort } from '../support/free_port.js'
import { Image } from '../support/image.js'
import { canMount, isRoot } from '../support/required.js'
import { Wire } from '../support/wire.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))

describe.skipIf(!hasOpenssl())('a host with a daemon at work', () => {
  const ca = new TestCa()
  const trust = { NODE_EXTRA_CA_CERTS: ca.certificate }
  let op: BentOp
  let daemon: TestDaemon

  beforeAll(async () => {
    op = await BentOp.start({ tls: ca.server('localhost') })
    daemon = await TestDaemon.start({
      daemon: { insecure_op_hosts: '', default_op: op.issuer },
      env: trust,
    })
    using wire = await Wire.connect(daemon.socket)
    await BentSite.register(wire, op)
  })
  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]()
    await op?.[Symbol.asyncDispose]()
    ca[Symbol.dispose]()
  })

  const look = (...args: string[]): Promise<Examined> => examine(daemon.config, args, trust)

  /** Another configuration of the same daemon's. @returns its path */
  function variant(change: (text: string) => string): string {
    const path = join(daemon.folder, `${Math.random()}.cfg`)
    writeFileSync(path, change(readFileSync(daemon.config, 'utf8')))
    onTestFinished(() => rmSync(path))
    return path
  }

  function withMode(path: string, mode: number, usual: number): void {
    chmodSync(path, mode)
    onTestFinished(() => chmodSync(path, usual))
  }

  test('a good one has no findings, and nothing of it is changed', async () => {
    const before = snapshot(daemon.folder)
    const { findings, checks, status } = await look()
    expect(findings).toEqual([])
    expect(new Set(checks.map(({ result }) => result))).toEqual(new Set(['ok']))
    expect(checks.length).toBeGreaterThan(12)
    expect(status).toBe(0)
    expect(snapshot(daemon.folder)).toEqual(before)
  })

  test('files and a socket that are open to others', async () => {
    const path = (file: string) => join(daemon.folder, file)
    withMode(path('relyd.cfg'), 0o666, 0o644)
    withMode(path('state'), 0o777, 0o700)
    withMode(path('state/store/relyd.db'), 0o644, 0o600)
    withMode(path('state/keys/store.key'), 0o640, 0o600)
    withMode(daemon.socket, 0o666, 0o660)
    const examined = await look()
    const named = (about: string, what: RegExp, cure: string) =>
      expectFinding(examined, {
        severity: 'fault',
        about,
        what,
        cure: new RegExp(`^${cure} [^ ]+\\b(relyd\\.(cfg|db|sock)|state|store\\.key)\\b`),
      })
    named(path('relyd.cfg'), /every user may change it \(mode 0666\)/, 'chmod o-w')
    named(path('state'), /open to other users \(mode 0777\)/, 'chmod 700')
    named(path('state/store/relyd.db'), /open to other users \(mode 0644\)/, 'chmod 600')
    named(path('state/keys/store.key'), /keys are open to other users \(mode 0640\)/, 'chmod 600')
    named('[listener site]', /relyd\.sock has mode 0666, and relyd\.cfg says 0660/, 'chmod 0660')
    const notes = examined.findings.filter(({ severity }) => severity === 'note')
    // Root does not open what others can change beneath it.
    const unseen = /not looked at: .*state belongs to root, and others may write to it too/
    expect(notes.map(({ what }) => what)).toEqual(isRoot() ? [expect.stringMatching(unseen)] : [])
    expect(examined.findings).toHaveLength(5 + notes.length)
  })

  test('client assertions that a platform renews, or does not', async () => {
    const path = join(daemon.folder, 'token')
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const write = (exp: number) =>
      writeFileSync(path, `${part({ alg: 'ES256' })}.${part({ exp })}.AAAA\n`)
    const now = Math.floor(Date.now() / 1000)
    write(now + 300)
    using admin = await Wire.connect(daemon.admin_socket)
    await admin.ok('add_site', {
      name: 'workload',
      client_id: 'workload',
      client_assertion_file: path,
      redirect_uris: ['https://workload.example/callback'],
    })
    onTestFinished(() => relyd(['sites', 'remove', 'workload', '-c', daemon.config]).then(() => {}))
    const found = async (what: RegExp) =>
      expectFinding(await look(), {
        severity: 'fault',
        about: 'site workload',
        what,
        cure: /relyd sites update workload --client-assertion-file PATH$/,
      })
    expect((await look()).findings).toEqual([])
    write(now - 60)
    await found(/token holds a JWT that expired \d+ seconds ago/)
    rmSync(path)
    await found(/token cannot be read \(ENOENT\)/)
  })

  test('an unknown option', async () => {
    const path = variant((text) => text.replace('[daemon]', '[daemon]\nlogin_lifetme = 5'))
    expectFinding(await examine(path, [], trust), {
      severity: 'fault',
      about: 'relyd.cfg',
      what: /\.cfg:2: unknown option "login_lifetme" in \[daemon\]; did you mean login_lifetime\?/,
      cure: /^correct it, then: relyd check-config --config .*\.cfg$/,
    })
  })

  test('another configuration than the one that runs, with an unsafe option', async () => {
    const metrics = `tcp:127.0.0.1:${await freePort()}`
    const path = variant((text) =>
      text
        .replace(
          'insecure_op_hosts = ',
          `metrics_address = ${metrics}\ninsecure_op_hosts = 10.0.0.1`,
        )
        .replace('[realm default]', '[realm default]\nfront_channel_access_tokens = yes'),
    )
    const examined = await examine(path, [], trust)
    expectFinding(examined, {
      severity: 'warning',
      about: 'relyd',
      what: new RegExp(`runs with ${daemon.config}, not with ${path}`),
      cure: /^relyd doctor --config /,
    })
    expectFinding(examined, {
      severity: 'warning',
      about: '[daemon]',
      what: /^insecure_op_hosts = 10\.0\.0\.1: Tokens and secrets travel in the clear/,
      cure: /^take insecure_op_hosts out of /,
    })
    expectFinding(examined, {
      severity: 'warning',
      about: '[realm default]',
      what: /^front_channel_access_tokens = yes: They leak from there/,
      cure: /^take front_channel_access_tokens out of /,
    })
    expectFinding(examined, {
      severity: 'fault',
      about: 'metrics_address',
      what: new RegExp(`^nobody takes connections at ${metrics} \\(ECONNREFUSED\\)`),
      cure: /^systemctl restart relyd/,
    })
    expect(examined.findings).toHaveLength(4)
  })

  test('oxd clients: known, not nagged about, and found at one address of loopback only', async () => {
    const port = await freePort()
    const oxd = (host: string) => `[listener l${host.length}]\naddress = tcp:${host}:${port}\n`
    const path = (more: string) =>
      variant((text) =>
        text.replace('[realm default]', `${more}[realm default]\noxd_clients = 3.1`),
      )
    const alone = await examine(path(oxd('127.0.0.1')), [], trust)
    const chosen: Wanted = {
      severity: 'note',
      about: '[realm default]',
      what: /^oxd_clients = 3\.1: A callback may then complete a login that another browser started/,
      cure: /^nothing, while websites of the realm use clients of oxD/,
    }
    expectFinding(alone, chosen)
    const both = await examine(
      path(`${oxd('127.0.0.1')}oxd_http = yes\n${oxd('[::1]')}`),
      [],
      trust,
    )
    expectFinding(both, chosen)
    expectFinding(both, {
      severity: 'note',
      about: '[listener l9]',
      what: /^oxd_http is on: A program on this host that posts JSON/,
      cure: /^nothing, while clients use it/,
    })
    expect(both.findings.filter(({ check }) => check === 'unsafe')).toHaveLength(2)
    if (!networkInterfaces()['lo']?.some(({ address }) => address === '::1')) return
    expectFinding(alone, {
      severity: 'warning',
      about: '[listener l9]',
      what: new RegExp(`some try tcp:\\[::1\\]:${port} for localhost`),
      cure: /^add a listener with "address = tcp:\[::1\]:\d+" and "realm = default" to /,
    })
  })

  test('a socket that somebody removed', async () => {
    renameSync(daemon.socket, `${daemon.socket}.away`)
    onTestFinished(() => renameSync(`${daemon.socket}.away`, daemon.socket))
    expectFinding(await look(), {
      severity: 'fault',
      about: '[listener site]',
      what: /there is no socket .*relyd\.sock, though the daemon runs/,
      cure: /^systemctl restart relyd/,
    })
  })

  test('certificates of TLS listeners that have expired, or will', async () => {
    const sections = [-2, 20].map((last) => {
      const { certificate, key } = ca.issue(`until${last}`, { days: [-9, last] })
      return `[listener l${last + 2}]\naddress = tcp:127.0.0.1:0\ntls_certificate = ${certificate}
tls_key = ${key}\ntls_client_ca = ${ca.certificate}\n`
    })
    const examined = await examine(
      variant((text) => text + sections.join('')),
      [],
      trust,
    )
    expectFinding(examined, {
      severity: 'fault',
      about: '[listener l0]',
      what: /tls_certificate: .*until-2\.crt has expired on 20/,
      cure: /docs\/tls\.md.*systemctl restart relyd/,
    })
    expectFinding(examined, {
      severity: 'warning',
      about: '[listener l22]',
      what: /tls_certificate: .*until20\.crt expires on 20/,
      cure: /^renew it/,
    })
  })

  test('an OP whose CA the daemon trusts, and this command was not told of', async () => {
    expectFinding(await examine(daemon.config), {
      severity: 'note',
      about: `OP ${op.issuer}`,
      what: /CA that is not trusted here.*; the daemon trusts further CAs/,
      cure: new RegExp(`NODE_EXTRA_CA_CERTS=${ca.certificate} relyd doctor`),
    })
  })

  describe.skipIf(!isRoot() || !canMount())('and a website that cannot reach it', () => {
    const user = 'nobody'
    const about = `user ${user}, [listener site]`

    test('for a folder on the way', async () => {
      expectFinding(await look('--user', user), {
        severity: 'fault',
        about,
        what: new RegExp(`may not enter ${daemon.folder} \\(mode 0700, group 0\\)`),
        cure: new RegExp(`^chmod o\\+x ${daemon.folder}$`),
      })
    })

    test('for the group of the socket', async () => {
      withMode(daemon.folder, 0o755, 0o700)
      chownSync(daemon.socket, 0, 33)
      onTestFinished(() => chownSync(daemon.socket, 0, 0))
      expectFinding(await look('--user', user), {
        severity: 'fault',
        about,
        what: /may not write to .*relyd\.sock \(mode 0660, group 33\)/,
        cure: /^usermod -aG \$\(stat -c %G .*relyd\.sock\) nobody/,
      })
    })

    test('but for a user that is not there, and one that a group lets in', async () => {
      withMode(daemon.folder, 0o755, 0o700)
      chownSync(daemon.socket, 0, 4242)
      onTestFinished(() => chownSync(daemon.socket, 0, 0))
      const groups = join(daemon.folder, 'group')
      const text = readFileSync('/etc/group', 'utf8')
      writeFileSync(groups, `${text.trimEnd()}\nwebsites:x:4242:${user}\n`)
      onTestFinished(() => rmSync(groups))
      // In a mount namespace of its own the host has one group more.
      const script = 'mount --bind "$0" /etc/group && exec "$@"'
      const doctor = ['doctor', '--json', '-c', daemon.config, '--user', user, 'nobody_there']
      const { stdout } = await promisify(execFile)(
        'unshare',
        ['-m', 'sh', '-c', script, groups, process.execPath, PROGRAM, ...doctor],
        { env: { ...process.env, ...trust } },
      )
      const examined = { ...(JSON.parse(stdout) as Examined), status: 0 }
      expectFinding(examined, {
        severity: 'warning',
        about: 'user nobody_there',
        what: /there is no such user/,
        cure: /getent passwd/,
      })
      expect(examined.findings).toHaveLength(1)
    })
  })
})

describe('a daemon', () => {
  test('that hangs', async () => {
    await using daemon = await TestDaemon.start()
    process.kill(daemon.pid, 'SIGSTOP')
    const examined = await examine(daemon.config)
    expectFinding(examined, {
      severity: 'fault',
      about: 'relyd',
      what: /listens on .*admin\.sock and does not answer: .*5 seconds/,
      cure: /^journalctl -u relyd/,
    })
  })

  test('that may open too few files', async () => {
    await using daemon = await TestDaemon.start({ under: ['prlimit', '--nofile=700:700'] })
    expectFinding(await examine(daemon.config), {
      severity: 'warning',
      about: 'relyd',
      what: /may open 700 files, and its options .* want 2712$/,
      cure: /LimitNOFILE=2712/,
    })
  })

  test('that is older than what is installed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'relyd-older-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const built = fileURLToPath(new URL('../../daemon', import.meta.url))
    cpSync(join(built, 'dist'), join(folder, 'dist'), { recursive: true })
    symlinkSync(join(built, '../node_modules'), join(folder, 'node_modules'))
    const manifest = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8'))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version: '0.0.9' }))
    await using daemon = await TestDaemon.start({ program: join(folder, 'dist/main.js') })
    expectFinding(await examine(daemon.config), {
      severity: 'warning',
      about: 'relyd',
      what: new RegExp(`version 0\\.0\\.9 runs, and ${manifest.version} is installed`),
      cure: /^systemctl restart relyd$/,
    })
  })
})

describe('the units of systemd', () => {
  const wanted = (about: RegExp | string, what: RegExp, cure: RegExp): Wanted => ({
    severity: 'fault',
    about,
    what,
    cure,
  })

  test('as they were laid down are good; of another version, or beside relyd.cfg, they are not', async () => {
    using image = new Image()
    const { status } = await relyd([
      'service',
      'install',
      '--root',
      image.root,
      '--socket',
      'shop:www-shop',
    ])
    expect(status).toBe(0)
    const config = join(image.root, 'etc/relyd/relyd.cfg')
    writeFileSync(
      config,
      `[daemon]\nstate_directory = ${image.root}/var/lib/relyd\n[listener site]\naddress = unix:/run/relyd/relyd.sock\n[listener shop]\naddress = unix:/run/relyd/shop.sock\n`,
    )
    const ofUnits = async () => {
      const examined = await examine(config, ['--root', image.root])
      return { ...examined, findings: examined.findings.filter(({ check }) => check === 'unit') }
    }
    expect((await ofUnits()).findings).toEqual([])

    const unit = join(image.root, 'etc/systemd/system/relyd.service')
    const text = readFileSync(unit, 'utf8')
    writeFileSync(unit, text.replace('WatchdogSec=60\n', ''))
    const cfg = readFileSync(config, 'utf8')
    writeFileSync(
      config,
      cfg.replace('relyd.sock', 'other.sock').replace('listener shop', 'listener blog'),
    )
    const examined = await ofUnits()
    expectFinding(examined, {
      severity: 'warning',
      about: unit,
      what: /not as this version of relyd lays it down/,
      cure: /^sudo relyd service install/,
    })
    expectFinding(
      examined,
      wanted(
        'relyd.socket',
        /listens on \/run\/relyd\/relyd\.sock, and \[listener site\] .*other\.sock/,
        /ListenStream=/,
      ),
    )
    expectFinding(
      examined,
      wanted(
        'relyd-shop.socket',
        /no \[listener shop\]/,
        /systemctl disable --now relyd-shop\.socket/,
      ),
    )
    expect(examined.findings).toHaveLength(3)

    writeFileSync(
      unit,
      text.replace(/^ExecStart=.*/m, 'ExecStart=/opt/gone/node /usr/bin/relyd serve'),
    )
    expectFinding(
      await ofUnits(),
      wanted(unit, /runs \/opt\/gone\/node, which is not there/, /service install/),
    )
    rmSync(unit)
    expectFinding(await ofUnits(), {
      severity: 'note',
      about: 'relyd.service',
      what: /there is no unit/,
      cure: /^sudo relyd service install$/,
    })
  })

  test('bring the keys, which relyd.cfg then does not name', async () => {
    await using daemon = await TestDaemon.start()
    using image = new Image()
    await relyd(['service', 'install', '--root', image.root])
    const moved = join(image.root, 'etc/relyd/store.key')
    renameSync(join(daemon.folder, 'state/keys/store.key'), moved)
    const config = image.at('/etc/relyd/relyd.cfg')
    copyFileSync(daemon.config, config)
    const ofKeys = async (path: string, ...args: string[]) => {
      const { findings } = await examine(path, args)
      return findings.filter(({ check }) => check === 'keys')
    }
    expect(await ofKeys(config, '--root', image.root)).toEqual([])
    expect(await ofKeys(config, '--key-file', moved)).toEqual([])
    expect(await ofKeys(config)).toMatchObject([{ severity: 'fault' }])
    // The unit's keys are those of the relyd.cfg that it is started with.
    expect(await ofKeys(daemon.config, '--root', image.root)).toMatchObject([{ severity: 'fault' }])
  })
})

describe('a host whose daemon does not run', () => {
  let stopped: string

  beforeAll(async () => {
    await using daemon = await TestDaemon.start({ daemon: { insecure_op_hosts: '' } })
    await daemon.stop()
    stopped = mkdtempSync(join(tmpdir(), 'relyd-stopped-'))
    cpSync(daemon.folder, stopped, { recursive: true })
    const config = join(stopped, 'relyd.cfg')
    const text = readFileSync(config, 'utf8').replaceAll(daemon.folder, stopped)
    writeFileSync(config, text)
  })
  afterAll(() => rmSync(stopped, { recursive: true, force: true }))

  /** A copy to be broken. */
  function copy(): { folder: string; config: string; database: string; key_file: string } {
    const folder = mkdtempSync(join(tmpdir(), 'relyd-broken-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    cpSync(stopped, folder, { recursive: true })
    const config = join(folder, 'relyd.cfg')
    writeFileSync(config, readFileSync(config, 'utf8').replaceAll(stopped, folder))
    return {
      folder,
      config,
      database: join(folder, 'state/store/relyd.db'),
      key_file: join(folder, 'state/keys/store.key'),
    }
  }

  const down: Wanted = {
    severity: 'fault',
    about: 'relyd',
    what: /does not run: nobody listens on .*admin\.sock/,
    cure: /^systemctl start relyd; why it ended: journalctl/,
  }

  test('is told that, and that alone; nothing is changed', async () => {
    const { folder, config } = copy()
    const before = snapshot(folder)
    const examined = await examine(config)
    expectFinding(examined, down)
    expect(examined.findings).toHaveLength(1)
    expect(snapshot(folder)).toEqual(before)
    const told = await relyd(['doctor', '-c', config])
    expect(told.stdout).toMatch(
      /^FAULT {2}relyd: it does not run: .*\n {2}cure: systemctl start relyd;.*\n\n\d+ checks: 1 of 1 findings/,
    )
    expect(told.status).toBe(4)
  })

  test.each<[string, (files: ReturnType<typeof copy>) => void, Wanted]>([
    [
      'keys that are gone',
      ({ key_file }) => rmSync(key_file),
      {
        severity: 'fault',
        about: /store\.key$/,
        what: /is encrypted with \w+, and there is no key file/,
        cure: /^put the file back from its backup/,
      },
    ],
    [
      'keys of another database',
      ({ key_file }) => {
        const text = readFileSync(key_file, 'utf8')
        writeFileSync(key_file, text.replace(/[\w-]{43}\s*$/, `${'A'.repeat(43)}\n`))
      },
      {
        severity: 'fault',
        about: /store\.key$/,
        what: /is not the key of that name/,
        cure: /^put the file back/,
      },
    ],
    [
      'keys in the folder of the database',
      ({ config, folder, key_file }) => {
        renameSync(key_file, join(folder, 'state/store/store.key'))
        const text = readFileSync(config, 'utf8')
        writeFileSync(config, text.replace('[daemon]', '[daemon]\nkey_file = store/store.key'))
      },
      {
        severity: 'fault',
        about: /store\.key$/,
        what: /lies in the database's folder .*; set the option "key_file"/,
        cure: /^mv .* \(key_file\)/,
      },
    ],
    [
      'a damaged database',
      ({ database }) => {
        const bytes = readFileSync(database)
        bytes.fill(0x5a, 4096, bytes.length - 4096)
        writeFileSync(database, bytes)
      },
      {
        severity: 'fault',
        about: /relyd\.db$/,
        what: /^the database is damaged: /,
        cure: /restore a backup/,
      },
    ],
    [
      'a file that is no database',
      ({ database }) => writeFileSync(database, 'hello '.repeat(2000)),
      {
        severity: 'fault',
        about: /relyd\.db$/,
        what: /^the database is damaged: .*not a database/,
        cure: /restore a backup/,
      },
    ],
    [
      "another program's database",
      ({ database }) => {
        const db = openKept(database)
        db.pragma('application_id = 7')
        db.close()
      },
      {
        severity: 'fault',
        about: /relyd\.db$/,
        what: /database of another program/,
        cure: /^set the option "database"/,
      },
    ],
    [
      'a database of a later relyd',
      ({ database }) => {
        const db = openKept(database)
        db.exec('INSERT INTO migrations VALUES (999)')
        db.close()
      },
      {
        severity: 'fault',
        about: /relyd\.db$/,
        what: /schema version 999/,
        cure: /^install the relyd that wrote it/,
      },
    ],
    [
      "a file in the socket's place",
      ({ folder }) => writeFileSync(join(folder, 'relyd.sock'), ''),
      {
        severity: 'fault',
        about: '[listener site]',
        what: /relyd\.sock is no socket/,
        cure: /^mv .*relyd\.sock /,
      },
    ],
    [
      'sites of a realm that nobody serves',
      ({ database }) => {
        const db = openKept(database)
        db.exec(
          `INSERT INTO sites (oxd_id, realm, op_host, issuer, redirect_uri, registered_by, client, settings, created_at, secrets)
           VALUES ('a', 'shop', 'https://op.invalid', 'https://op.invalid', 'https://a.example/', 'relyd', '{}', '{}', 0, x'')`,
        )
        db.close()
      },
      {
        severity: 'warning',
        about: 'realm shop',
        what: /no listener serves it, and it has 1 site/,
        cure: /realm = shop/,
      },
    ],
  ])('%s', async (_, breakIt, wanted) => {
    const files = copy()
    breakIt(files)
    const examined = await examine(files.config)
    expectFinding(examined, wanted)
    expectFinding(examined, down)
    expect(examined.findings).toHaveLength(2)
  })

  test.skipIf(!isRoot())("files that are not the daemon's user's", async () => {
    const { folder, config, database } = copy()
    chownSync(join(folder, 'state'), 33, 33)
    const examined = await examine(config)
    expectFinding(examined, {
      severity: 'fault',
      about: database,
      what: /belongs to the user 0, and the daemon's user \S+ cannot write it/,
      cure: /^chown -R \S+: .*state\/store$/,
    })
    expectFinding(examined, {
      severity: 'fault',
      about: config,
      what: new RegExp(`may not enter ${folder} \\(mode 0700\\)`),
      cure: new RegExp(`chmod o\\+x ${folder}`),
    })
  })

  test('a killed one leaves a WAL, which is read and left as it is', async () => {
    await using daemon = await TestDaemon.start({ daemon: { insecure_op_hosts: '' } })
    await daemon.signal('SIGKILL')
    const state = join(daemon.folder, 'state')
    const before = snapshot(state)
    const examined = await examine(daemon.config)
    expectFinding(examined, down)
    expect(examined.findings).toHaveLength(1)
    expect(snapshot(state)).toEqual(before)
  })

  test.skipIf(!canMount())('a full disk', () => {
    const { folder } = copy()
    // In a mount namespace of its own, as big as what lies there and a little more.
    const script = `cp -a "$1/state" "$1/kept" && mount -t tmpfs -o size=2m,mode=700 none "$1/state" && cp -a "$1/kept/." "$1/state" && exec "$2" "$3" doctor --json -c "$1/relyd.cfg"`
    const { stdout, status } = spawnSync(
      'unshare',
      ['-rm', 'sh', '-c', script, 'sh', folder, process.execPath, PROGRAM],
      { encoding: 'utf8' },
    )
    const { findings } = JSON.parse(stdout) as Examined
    expectFinding(
      { findings, checks: [], status },
      {
        severity: 'fault',
        about: join(folder, 'state/store'),
        what: /^the disk is full: 1 MiB are left/,
        cure: /^make room \(df -h /,
      },
    )
    expect(status).toBe(4)
  })
})
