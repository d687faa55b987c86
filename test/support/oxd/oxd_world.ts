/** A real OP and a daemon with a realm for each generation of oxd clients, and sites that log in there. */
import { join } from 'node:path'
import { type Op, type OpOptions, startOp } from '../../../demosite/src/op.js'
import type { TestDaemon } from '../daemon.js'
import { EndUser } from '../end_user.js'
import { redirect_uri } from '../site.js'
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

export class OxdWorld implements AsyncDisposable {
  readonly op: Op
  readonly daemon: TestDaemon

  private constructor(op: Op, daemon: TestDaemon) {
    this.op = op
    this.daemon = daemon
  }

  static async start(options?: OpOptions): Promise<OxdWorld> {
    const op = await startOp(options)
    const daemon = await startOxdDaemon({ daemon: { default_op: op.issuer }, sections: older })
    return new OxdWorld(op, daemon)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
    await this.op.close()
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
      authorization_redirect_uri: redirect_uri,
      scope: ['openid', 'profile', 'email', 'address', 'offline_access'],
      ...params,
    })
    return new OxdSite(await OxdWire.connect(socket), oxd_id)
  }
}

/** A site as an oxd client of it sees it. */
export class OxdSite implements Disposable {
  readonly wire: OxdWire
  readonly oxd_id: string

  constructor(wire: OxdWire, oxd_id: string) {
    this.wire = wire
    this.oxd_id = oxd_id
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
    return new URL(await new EndUser().logIn(authorization_url))
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
