/**
 * Everything that a realm needs to deal with OPs, in one bundle for the functions of this folder. Each
 * realm has its own: connections, documents and limits.
 */
import type { Clock } from '../clock.js'
import type { Log } from '../log.js'
import type { Store } from '../store/store.js'
import { type HttpLimits, type HttpOptions, OpHttp } from './http.js'
import type { OpOptionsByHost } from './op_options.js'
import { Providers } from './providers.js'

export interface OpSide {
  http: OpHttp
  providers: Providers
  /** What is special about OPs, by op_host. */
  readonly options: OpOptionsByHost
  clock: Clock
  /** Takes other limits, and with them other documents and connections. */
  change(limits: OpLimits): void
  close(): Promise<void>
}

/** What an operator may change while the daemon runs. */
export interface OpLimits extends HttpLimits {
  /** Seconds after which metadata and keys are fetched anew in the background. */
  refresh_after: number
  /** What relyd.cfg says of OPs; nothing, if absent. */
  ops?: OpOptionsByHost
}

export interface OpSideOptions extends HttpOptions, OpLimits {
  realm: string
  store: Store
  clock: Clock
  log: Log
}

export function createOpSide(options: OpSideOptions): OpSide {
  const http = new OpHttp(options)
  const providers = new Providers({ ...options, http })
  return {
    get options() {
      return providers.ops
    },
    http,
    providers,
    clock: options.clock,
    change(limits) {
      http.change(limits)
      providers.change(limits)
    },
    async close() {
      providers.close()
      await http.close()
    },
  }
}
