/** A site that gets refresh tokens of a real OP, whose refreshes a test counts and holds up. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Configuration } from 'oidc-provider'
import { expect } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from './daemon.js'
import { EndUser } from './end_user.js'
import { type Reply, Wire } from './wire.js'

/** Seconds that the access token of a login lives; those of refreshes live long. */
const SHORT = 1

export class OfflineOp implements AsyncDisposable {
  /** How many refreshes it was asked for. */
  asked = 0
  /** Awaited by each before it goes on. */
  gate: () => Promise<unknown> = async () => {}
  readonly op: Op

  private constructor(op: Op) {
    this.op = op
  }

  /** @param rotates whether each refresh uses up its refresh token; one that comes again ends the grant */
  static async start(rotates: boolean, configuration: Configuration = {}): Promise<OfflineOp> {
    let self: OfflineOp | undefined
    const op = await startOp({
      configuration: {
        async rotateRefreshToken() {
          if (self) self.asked += 1
          await self?.gate()
          return rotates
        },
        ttl: {
          AccessToken: (ctx) =>
            ctx.oidc.params?.['grant_type'] === 'refresh_token' ? 3600 : SHORT,
          RefreshToken: 3600,
          Grant: 3600,
          Session: 3600,
          Interaction: 3600,
          IdToken: 3600,
        },
        ...configuration,
      },
    })
    self = new OfflineOp(op)
    return self
  }

  /** Holds refreshes up from now on. @returns lets them go on */
  hold(): () => void {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    this.gate = () => held
    return letGo
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.op.close()
  }
}

export interface OfflineLogin {
  oxd_id: string
  /** Of a site's process. */
  cfg: string
  /** What the login answered. Its access token has expired. */
  login: Reply['data']
}

/** A login whose access token has expired. */
export async function expiredLogin(daemon: TestDaemon, { op }: OfflineOp): Promise<OfflineLogin> {
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: 'http://site.example/callback',
    scope: ['openid', 'profile', 'offline_access'],
  })
  const { authorization_url, binding } = await wire.ok('get_authorization_url', {
    oxd_id,
    prompt: 'consent',
  })
  const callback = await new EndUser().logIn(authorization_url)
  const login = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  const expired_at = (Math.floor(Date.now() / 1000) + SHORT) * 1000
  await expect.poll(() => Date.now(), { timeout: 5000 }).toBeGreaterThan(expired_at)
  const cfg = cfgOf(daemon, oxd_id)
  return { oxd_id, cfg, login }
}

/** A cfg of the site, for the socket of this daemon. */
export function cfgOf(daemon: TestDaemon, oxd_id: string): string {
  const cfg = join(daemon.folder, `${oxd_id}.cfg`)
  writeFileSync(
    cfg,
    `[oxd]\nid = ${oxd_id}\nsocket = ${daemon.socket}\n[client]\nauthorization_redirect_uri = http://site.example/callback\n`,
  )
  return cfg
}
