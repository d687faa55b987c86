/** The one source of time, injected so that tests can set it. */

/** Seconds since the epoch, as JWTs count them (RFC 7519 2, NumericDate). */
export type Seconds = number

/** Answers the present time in whole seconds. */
export type Clock = () => Seconds

export const systemClock: Clock = () => Math.floor(Date.now() / 1000)
