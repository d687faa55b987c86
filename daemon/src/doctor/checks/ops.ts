/** Whether each OP can be used: name, address, TLS, metadata, keys, and clock. */
import { readFile } from 'node:fs/promises'
import { bounded } from '../../errors.js'
import { type OpProbe, probeOp } from '../../op/probe.js'
import { limitsOf } from '../../op_limits.js'
import { type Finding, fault, note, warning } from '../finding.js'
import { troubleInWords } from '../op_trouble.js'
import type { World } from '../world.js'

/** Asked at the same time. */
const AT_ONCE = 8

/** Seconds of difference at which a clock is not kept any more. */
const KEPT = 5

interface Wanted {
  realm: string
  op_host: string
}

export async function ops(world: World): Promise<Finding[]> {
  const left = await wanted(world)
  const found: Finding[] = []
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift())
      found.push(...(await look(world, next)))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return found
}

/** Each OP once a realm: its own policy says whether it may be called. */
async function wanted({ config, store, ops: asked }: World): Promise<Wanted[]> {
  const { default_op } = config.daemon
  const [first = 'default'] = config.realms.keys()
  const { sites } = await store
  const all = [
    ...(default_op === undefined ? [] : [{ realm: first, op_host: default_op }]),
    ...asked.map((op_host) => ({ realm: first, op_host })),
    ...sites.filter(({ realm }) => config.realms.has(realm)),
  ]
  const unique = all.map(({ realm, op_host }): [string, Wanted] => [
    `${realm} ${op_host.replace(/\/$/, '')}`,
    { realm, op_host },
  ])
  return [...new Map(unique).values()]
}

async function look(world: World, { realm, op_host }: Wanted): Promise<Finding[]> {
  const { config } = world
  const about = `OP ${shown(op_host)}`
  const policy = config.realms.get(realm) ?? { allowed_op_hosts: [] }
  const now = () => Date.now() / 1000
  const probe = await probeOp(realm, limitsOf(policy, config), op_host, now)
  return [...(await trouble(world, about, probe)), ...clock(about, probe, config.daemon)]
}

async function trouble(world: World, about: string, probe: OpProbe): Promise<Finding[]> {
  if (!probe.trouble) return []
  const { what, cure } = troubleInWords(probe.trouble, world.config.daemon.proxy)
  const trusts = /ISSUER|SIGN/.test(probe.trouble.code ?? '') ? await otherTrust(world) : undefined
  if (trusts === undefined) return [fault(about, what, cure)]
  const why = `${what}; the daemon trusts further CAs, which this command was not started with`
  return [note(about, why, `sudo NODE_EXTRA_CA_CERTS=${trusts} relyd doctor`)]
}

/** What the running daemon trusts beyond Node's own CAs, and we do not. */
async function otherTrust({ daemon }: World): Promise<string | undefined> {
  const running = await daemon
  if (running.state !== 'answers') return undefined
  const text = await readFile(`/proc/${running.status.pid}/environ`, 'utf8').catch(() => '')
  const [, trusts] = /(?:^|\0)NODE_EXTRA_CA_CERTS=([^\0]+)/.exec(text) ?? []
  return trusts === process.env['NODE_EXTRA_CA_CERTS'] ? undefined : trusts
}

function clock(
  about: string,
  { clock_ahead = 0 }: OpProbe,
  { clock_tolerance }: Pick<World['config']['daemon'], 'clock_tolerance'>,
): Finding[] {
  const seconds = Math.round(Math.abs(clock_ahead))
  if (seconds < KEPT) return []
  const what = `this host's clock is ${seconds} seconds ${clock_ahead > 0 ? 'behind' : 'ahead of'} the OP's`
  const cure = 'keep the time of this host: timedatectl set-ntp true; if it is right, tell the OP'
  if (seconds < clock_tolerance) {
    return [warning(about, `${what}; from ${clock_tolerance} on logins fail`, cure)]
  }
  return [
    fault(
      about,
      `${what}, and logins fail: ID Tokens are taken for expired, or of the future`,
      cure,
    ),
  ]
}

/** Not what nobody should have written into it. */
function shown(op_host: string): string {
  const url = URL.canParse(op_host) ? new URL(op_host) : undefined
  return url ? bounded(url.origin + url.pathname.replace(/\/$/, '')) : 'that is no address'
}
