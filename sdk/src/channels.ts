/** Which channel takes calls: opened when one is needed, a few attempts at a time, and left for another. */
import { Channel, type ChannelOwner, type ChannelTimes } from './channel.js'
import { SILENCE_MS } from './liveness.js'
import { Outage, PATIENCE, type Patience } from './outage.js'
import type { Address } from './site_address.js'

/** Channels left at the same time while their replies are due: a daemon that hangs gets no more of them. */
const MOST_RETIRED = 4

/** Milliseconds; tests have less patience. */
export interface Times extends ChannelTimes {
  patience: Patience
}

const usualTimes: Times = { open_ms: 10_000, silence_ms: SILENCE_MS, patience: PATIENCE }

/** Who has calls. */
export interface ChannelsOwner extends Pick<ChannelOwner, 'ready' | 'received' | 'ended'> {
  /** Another channel may be opened, if calls wait for one. */
  free(): void
  /** The first answer over a new channel came. */
  opened(): void
  /** A channel over which answers came takes no more calls. */
  left(): void
}

export class Channels {
  readonly #address: Address
  readonly #owner: ChannelsOwner
  readonly #times: Times
  readonly #outage: Outage
  #current: Channel | undefined
  /** Whether an answer came over the current one. */
  #answered = false
  /** Take no calls, and are open for the replies still due: of daemons that shut down, or are silent. */
  readonly #retired = new Set<Channel>()
  #reopening: NodeJS.Timeout | undefined

  constructor(address: Address, owner: ChannelsOwner, times = usualTimes) {
    this.#address = address
    this.#owner = owner
    this.#times = times
    this.#outage = new Outage(times.patience)
  }

  /** Whether there was no daemon for so long that calls need not wait for one. */
  get isLongOutage(): boolean {
    return this.#outage.isLong
  }

  /** @returns the one for new calls; undefined while it is too early for another attempt */
  take(): Channel | undefined {
    if (this.#current) return this.#current
    if (this.#reopening) return undefined
    const { delay_ms } = this.#outage
    if (delay_ms === 0) return this.#open()
    const again = () => {
      this.#reopening = undefined
      this.#owner.free()
    }
    this.#reopening = setTimeout(again, delay_ms).unref()
    return undefined
  }

  /** What a daemon says that serves came over the channel. */
  answered(channel: Channel): void {
    if (channel !== this.#current || this.#answered) return
    this.#answered = true
    this.#outage.end()
    this.#owner.opened()
  }

  /** The channel's daemon shuts down. */
  shutsDown(channel: Channel): void {
    if (channel !== this.#current) return
    this.#outage.announced()
    this.#retire(channel)
  }

  /** A reply came that was due over the channel, or nobody waits for it any more. */
  settled(channel: Channel): void {
    if (channel.due.size === 0 && this.#retired.delete(channel)) void channel.destroy()
  }

  /** Nobody waits any more for a channel that is slow to open. */
  abandon(): void {
    if (this.#current?.connected !== false) return
    void this.#current.destroy()
    this.#current = undefined
  }

  /** Resolves when all are closed, without a word to the owner. */
  async destroy(): Promise<void> {
    clearTimeout(this.#reopening)
    const all = [...this.#retired, ...(this.#current ? [this.#current] : [])]
    this.#current = undefined
    this.#retired.clear()
    await Promise.all(all.map((channel) => channel.destroy()))
  }

  #open(): Channel {
    this.#answered = false
    this.#current = new Channel(
      this.#address,
      {
        ready: (channel) => this.#owner.ready(channel),
        received: (channel, message) => this.#owner.received(channel, message),
        silent: (channel) => this.#silent(channel),
        ended: (channel, fault) => this.#ended(channel, fault),
      },
      this.#times,
    )
    return this.#current
  }

  /** What is due may still come, but later calls go where they have better hopes. */
  #silent(channel: Channel): void {
    if (channel !== this.#current || this.#retired.size >= MOST_RETIRED) return
    this.#retire(channel)
  }

  #ended(channel: Channel, fault: Error | undefined): void {
    this.#retired.delete(channel)
    if (channel === this.#current) {
      if (!this.#answered) this.#outage.attemptFailed()
      this.#leave()
    }
    this.#owner.ended(channel, fault)
  }

  #retire(channel: Channel): void {
    this.#retired.add(channel)
    this.#leave()
    this.settled(channel)
    this.#owner.free()
  }

  #leave(): void {
    this.#current = undefined
    if (this.#answered) this.#owner.left()
  }
}
