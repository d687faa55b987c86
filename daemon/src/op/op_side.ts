/**
 * Everything that a realm needs to deal with OPs, in one bundle for the functions of this folder. Each
 * realm has its own: connections, documents and limits.
 */
import type { Clock } from '../clock.js'
import type { Log } from '../log.js'
import type { Store } from '../store/store.js'
import { type HttpOptions, OpHttp } from './http.js'
import type { OpOptionsByHost } from './op_options.js'
import { Providers } from './providers.js'

export interface OpSide {
  http: OpHttp
  providers: Providers
  /** What is special about OPs, by op_host. */
  options: OpOptionsByHost
  clock: Clock
  close(): Promise<void>
}

export interface OpSideOptions extends HttpOptions {
  realm: string
  /** What relyd.cfg says of OPs; nothing, if absent. */
  ops?: OpOptionsByHost
  store: Store
  clock: Clock
  log: Log
  /** Seconds after which metadata and keys are fetched anew in the background. */
  refresh_after: number
}

export function createOpSide(options: OpSideOptions): OpSide {
  const { ops = new Map() } = options
  const http = new OpHttp(options)
  const providers = new Providers({ ...options, ops, http })
  return {
    options: ops,
    http,
    providers,
    clock: options.clock,
    async close() {
      providers.close()
      await http.close()
    },
  }
}
