/** What comes twice from clients whose replies come in the order of their requests: it is run and answered once. */
import { setTimeout as sleep, setImmediate as turnOfLoop } from 'node:timers/promises'
import type { RequestFrame } from './dialects/dialect.js'

/**
 * Milliseconds that a connection's first reply waits for a second copy of its request. PHP's client
 * has a connection for each request and writes it twice, and its host may let the daemon answer before
 * it comes to the second time.
 */
const SECOND_COPY = 5

/**
 * A frame is a copy if it is the same as the one directly before it, and began to arrive before that one
 * was answered: who has read the reply may send the same again.
 */
export class InOrder {
  /** Of the latest request. */
  #digest: string | undefined
  /** Bytes of the connection that had come when it was answered. */
  #answeredAt = Number.POSITIVE_INFINITY
  #isFirst = true

  isCopy({ mark }: RequestFrame): boolean {
    return mark !== undefined && mark.digest === this.#digest && mark.at < this.#answeredAt
  }

  /** The frame is run, or refused. */
  begin({ mark }: RequestFrame): void {
    this.#digest = mark?.digest
    this.#answeredAt = Number.POSITIVE_INFINITY
  }

  /** @param arrived bytes of the connection that have come so far */
  answered(arrived: number): void {
    this.#answeredAt = arrived
  }

  /** @returns the reply, once the socket was looked at for copies that came before it */
  async afterReading(reply: Promise<Buffer>): Promise<Buffer> {
    const isFirst = this.#isFirst
    this.#isFirst = false
    const [frame] = await Promise.all([reply, isFirst && sleep(SECOND_COPY)])
    // The first may come before the event loop reads, the second comes behind it.
    await turnOfLoop()
    await turnOfLoop()
    return frame
  }
}
