/** Tries an OP as the daemon would use it, for `relyd doctor`: with the same policy, limits and checks. */
import { CommandError } from '../errors.js'
import { fetchKeys, fetchMetadata, metadataAddress } from './discovery.js'
import { OpHttp } from './http.js'
import { readOpHost } from './op_host.js'
import { optionsOf } from './op_options.js'
import { OpPlaces } from './op_places.js'
import type { OpLimits } from './op_side.js'

/** How far an OP was good. */
export interface OpProbe {
  /** Seconds by which its clock is ahead of ours, as far as its answer tells. */
  clock_ahead?: number
  /** It says that its authorization responses carry `iss` (RFC 9207). */
  names_issuer?: boolean
  trouble?: {
    step: 'address' | 'metadata' | 'keys'
    error: CommandError
    /** What system, TLS or HTTP library say, such as `CERT_HAS_EXPIRED`. */
    code: string | undefined
  }
}

/**
 * One after another the way of a login's documents, and no further than the first trouble.
 *
 * @param realm whose policy it is
 */
export async function probeOp(
  realm: string,
  limits: OpLimits,
  op_host: string,
  now: () => number,
): Promise<OpProbe> {
  // Nobody's limit counts the calls: no site makes them.
  const places = new OpPlaces({ site: 1, realm: 1 }, () => new Error('no place'))
  const http = new OpHttp({ ...limits, realm, places })
  const probe: OpProbe = {}
  let step: NonNullable<OpProbe['trouble']>['step'] = 'address'
  try {
    const issuer = readOpHost(http, op_host)
    step = 'metadata'
    const options = optionsOf(limits.ops, issuer)
    // An OP whose metadata is in a file may publish none, whose answer would tell the time.
    if (!options?.static) await readClock(http, issuer, now, probe)
    const metadata = await fetchMetadata(http, issuer, options)
    probe.names_issuer = metadata.authorization_response_iss_parameter_supported === true
    step = 'keys'
    await fetchKeys(http, metadata, options)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    probe.trouble = { step, error, code: innermostCode(error) }
  } finally {
    await http.close()
  }
  return probe
}

/** RFC 9110 6.6.1 and 5.1: `Date` is of the second in which it was made, `Age` of how long ago. */
async function readClock(
  http: OpHttp,
  issuer: string,
  now: () => number,
  probe: OpProbe,
): Promise<void> {
  const asked = now()
  const response = await http.fetch(metadataAddress(issuer), {
    method: 'GET',
    headers: { accept: 'application/json' },
    body: undefined,
    redirect: 'manual',
  })
  const answered = now()
  const date = Date.parse(response.headers.get('date') ?? '') / 1000
  const age = Number(response.headers.get('age') ?? 0)
  if (Number.isNaN(date) || Number.isNaN(age)) return
  // Anywhere in its second, and anywhere between question and answer: what may be right counts as such.
  const earliest = date + age - answered
  const latest = date + age + 1 - asked
  probe.clock_ahead = earliest > 0 ? earliest : latest < 0 ? latest : 0
}

function innermostCode(error: unknown): string | undefined {
  let code: string | undefined
  let one = error
  for (let depth = 0; depth < 8 && one instanceof Error; depth += 1) {
    if (!(one instanceof CommandError) && 'code' in one && typeof one.code === 'string') {
      code = one.code
    }
    one = one instanceof AggregateError ? one.errors[0] : one.cause
  }
  return code
}
