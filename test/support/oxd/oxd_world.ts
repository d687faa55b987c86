/** A real OP and a daemon with a realm for each generation of oxd clients, and sites that log in there. */
import { join } from 'node:path'
import { type Op, type OpOptions, startOp } from '../../../demosite/src/op.js'
import { BentOp, type BentOpOptions } from '../bent_op/index.js'
import type { TestDaemon } from '../daemon.js'
import { EndUser } from '../end_user.js'
import { Wire } from '../wire.js'
import { startOxdDaemon } from './oxd_daemon.js'
import { type OxdReply, OxdWire } from './oxd_wire.js'

export type Generation = '3.1' | '3.0' | '2.4'

/** Whatever a test reads of a reply. */
export type Data = OxdReply['data']

const older = (['3.0', '2.4'] as const)
  .map((generation) => {
    const name = nameOf(generation)
    return `[listener ${name}]
address = unix:{folder}/${name}.sock
realm = ${name}
[realm ${name}]
oxd_clients = ${generation}
registrations_per_minute = 100000`
  })
  .join('\n')

function nameOf(generation: Generation): string {
  return `oxd-${generation.replace('.', '-')}`
}

interface AnyOp {
  issuer: string
}

/** What the browser brings back of an authorization URL. */
type Browse = (authorization_url: string) => Promise<string>

function daemonFor({ issuer }: AnyOp): Promise<TestDaemon> {
  return startOxdDaemon(
    { daemon: { default_op: issuer, op_timeout: 1 }, sections: older },
    '3.1',
    'front_channel_access_tokens = yes',
  )
}

export class OxdWorld<O extends AnyOp = Op> implements AsyncDisposable {
  readonly op: O
  readonly daemon: TestDaemon
  readonly #browse: Browse
  readonly #close: () => Promise<void>

  private constructor(op: O, daemon: TestDaemon, browse: Browse, close: () => Promise<void>) {
    this.op = op
    this.daemon = daemon
    this.#browse = browse
    this.#close = close
  }

  static async start(options?: OpOptions): Promise<OxdWorld> {
    const op = await startOp(options)
    const browse: Browse = (authorization_url) => new EndUser().logIn(authorization_url)
    return new OxdWorld(op, await daemonFor(op), browse, () => op.close())
  }

  /** With an OP that a test can bend, and response types of all kinds. */
  static async bent(options: BentOpOptions = {}): Promise<OxdWorld<BentOp>> {
    const op = await BentOp.start(options)
    const browse: Browse = async (authorization_url) => op.authorize(authorization_url)
    const close = () => op[Symbol.asyncDispose]()
    return new OxdWorld(op, await daemonFor(op), browse, close)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
    await this.#close()
  }

  /** The socket of a generation's realm. */
  socketOf(generation: Generation): string {
    return generation === '3.1'
      ? this.daemon.socket
      : join(this.daemon.folder, `${nameOf(generation)}.sock`)
  }

  /** Registers a site by relyd's own command, dynamically. */
  async site(generation: Generation = '3.1', params: object = {}): Promise<OxdSite> {
    const socket = this.socketOf(generation)
    using wire = await Wire.connect(socket)
    const { oxd_id } = await wire.ok('register_site', {
      authorization_redirect_uri: 'https://site.example/callback',
      scope: ['openid', 'profile', 'email', 'address', 'offline_access'],
      ...params,
    })
    return new OxdSite(await OxdWire.connect(socket), oxd_id, this.#browse)
  }
}

/** A site as an oxd client of it sees it. */
export class OxdSite implements Disposable {
  readonly wire: OxdWire
  readonly oxd_id: string
  readonly #browse: Browse

  constructor(wire: OxdWire, oxd_id: string, browse: Browse) {
    this.wire = wire
    this.oxd_id = oxd_id
    this.#browse = browse
  }

  [Symbol.dispose](): void {
    this.wire[Symbol.dispose]()
  }

  ok(command: string, params: object = {}): Promise<Data> {
    return this.wire.ok(command, { oxd_id: this.oxd_id, ...params })
  }

  refused(command: string, params: object = {}): Promise<Data> {
    return this.wire.refused(command, { oxd_id: this.oxd_id, ...params })
  }

  /** Begins a login and has the End-User log in. @returns the callback's URL */
  async callback(params: object = {}): Promise<URL> {
    const { authorization_url } = await this.ok('get_authorization_url', {
      prompt: 'consent',
      ...params,
    })
    return this.browse(authorization_url)
  }

  /** Lets the End-User log in. @returns the callback's URL */
  async browse(authorization_url: string): Promise<URL> {
    return new URL(await this.#browse(authorization_url))
  }

  /** A whole login. @returns what get_tokens_by_code answered */
  async logIn(params: object = {}): Promise<Data> {
    return this.ok('get_tokens_by_code', codeAndState(await this.callback(params)))
  }
}

/** What oxd's clients pick out of a callback. */
export function codeAndState({ searchParams }: URL): { code: string; state: string } {
  return {
    code: searchParams.get('code') as string,
    state: searchParams.get('state') as string,
  }
}
