/** The child's end of the process tree: says when it is ready, and stops when its parent does. */

export interface Running {
  /** Told to the parent: the address that is served. */
  address: string
  close(): Promise<void>
}

/** Starts a child's work, reports its address, and closes it on SIGTERM or when the parent is gone. */
export async function serveParent(start: () => Promise<Running>): Promise<void> {
  const { address, close } = await start()
  const stop = async () => {
    await close()
    process.exit()
  }
  process.once('SIGTERM', stop)
  // A parent that was killed cannot send a signal, but its end of the channel closes.
  process.once('disconnect', stop)
  process.send?.({ address })
}
