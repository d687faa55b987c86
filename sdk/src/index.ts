/** What a website imports from `@relyd/sdk`. */
export type { CallOptions } from './call_options.js'
export { Client, type ClientOptions } from './client.js'
export {
  CommandError,
  ConfigError,
  ProtocolError,
  TransportError,
  type TransportErrorCode,
} from './errors.js'
export type * from './methods.js'
export type { EventListener, EventName } from './subscription.js'
