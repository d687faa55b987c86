/** What a caller may say of one call, and what the SDK must know of one command. */

/** Options of every method. */
export interface CallOptions {
  /** Milliseconds to wait for the reply; 30,000 unless the cfg or the Client says otherwise. */
  timeout_ms?: number | undefined
  /** Gives the call up when it fires; what was sent may still be executed. */
  signal?: AbortSignal | undefined
}

/** What the generated methods tell of their commands. */
export interface CommandTraits {
  /** The command takes the site's `oxd_id`. */
  site: boolean
  /** Whether it may be sent again when a connection broke before the reply came. */
  retry: 'safe' | 'never'
  /** It may wait for the OP. */
  op: boolean
}
