/**
 * Everything that a realm needs to deal with OPs, in one bundle for the functions of this folder. Each
 * realm has its own: connections, documents and limits.
 */
import type { Clock, Seconds } from '../clock.js'
import type { Log } from '../log.js'
import type { Store } from '../store/store.js'
import { type HttpLimits, type HttpOptions, OpHttp } from './http.js'
import type { OpOptionsByHost } from './op_options.js'
import { Providers } from './providers.js'

/** As it was configured once: a reload makes another, and whoever has this one ends with it. */
export interface OpSide {
  readonly http: OpHttp
  readonly providers: Providers
  /** What is special about OPs, by op_host. */
  readonly options: OpOptionsByHost
  readonly clock: Clock
  /** Seconds by which the clocks of OPs and ours may differ. */
  readonly clock_tolerance: Seconds
  readonly log: Log
  /** One with other limits, and with them other documents and connections, for who begins from now on. */
  changed(limits: OpLimits): OpSide
  /** Ends it, and those that it was made of. */
  close(): Promise<void>
}

/** What an operator may change while the daemon runs. */
export interface OpLimits extends HttpLimits {
  /** Seconds after which metadata and keys are fetched anew in the background. */
  refresh_after: number
  /** Seconds by which an OP's clock and ours may differ. */
  clock_tolerance: Seconds
  /** What relyd.cfg says of OPs; nothing, if absent. */
  ops?: OpOptionsByHost
}

export interface OpSideOptions extends HttpOptions, OpLimits {
  realm: string
  store: Store
  clock: Clock
  log: Log
}

export function createOpSide(options: OpSideOptions, earlier?: OpSide): OpSide {
  const http = new OpHttp(options)
  const providers = new Providers({ ...options, http })
  const side: OpSide = {
    http,
    providers,
    options: providers.ops,
    clock: options.clock,
    clock_tolerance: options.clock_tolerance,
    log: options.log,
    changed(limits) {
      providers.close()
      return createOpSide({ ...options, ...limits }, side)
    },
    async close() {
      providers.close()
      await Promise.all([http.close(), earlier?.close()])
    },
  }
  return side
}
