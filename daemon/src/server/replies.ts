/** Replies of a connection: gathered into one write a turn, and counted until the peer has taken them. */
import type { Socket } from 'node:net'

export class Replies {
  readonly #socket: Socket
  readonly #changed: () => void
  #gathered: Buffer[] = []
  #bytes = 0
  #unreadSince: number | undefined

  /** @param changed called after some were written, and after the peer took some */
  constructor(socket: Socket, changed: () => void) {
    this.#socket = socket
    this.#changed = changed
  }

  /** Bytes that wait for the peer to read. */
  get unread(): number {
    return this.#bytes + this.#socket.writableLength
  }

  /** Since when some lie unread, as `performance.now()` counts. */
  get unreadSince(): number | undefined {
    return this.#unreadSince
  }

  push(frame: Buffer): void {
    this.#gathered.push(frame)
    this.#bytes += frame.length
    // After every promise of this turn: replies of one group commit leave in one write.
    if (this.#gathered.length === 1) process.nextTick(() => this.#flush())
  }

  #flush(): void {
    const bytes = this.#gathered.length === 1 ? this.#gathered[0] : Buffer.concat(this.#gathered)
    this.#gathered = []
    this.#bytes = 0
    if (!bytes || this.#socket.destroyed) return
    // A peer that does not read its replies gets no further ones computed.
    if (!this.#socket.write(bytes, () => this.#taken())) this.#socket.pause()
    if (this.#socket.writableLength > 0) this.#unreadSince ??= performance.now()
    this.#changed()
  }

  #taken(): void {
    this.#unreadSince = this.#socket.writableLength > 0 ? performance.now() : undefined
    this.#changed()
  }
}
