/** Many calls on one AbortSignal: one listener for all, gone with the last, so that a signal may live as long as a website. */

const waiting = new WeakMap<AbortSignal, { aborted(): void; calls: Set<() => void> }>()

/**
 * @param call called once, if the signal fires
 * @returns ends that
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let known = waiting.get(signal)
  if (!known) {
    const calls = new Set<() => void>()
    known = {
      calls,
      aborted: () => {
        for (const one of calls) one()
      },
    }
    waiting.set(signal, known)
    signal.addEventListener('abort', known.aborted, { once: true })
  }
  const { calls, aborted } = known
  calls.add(call)
  return () => {
    calls.delete(call)
    if (calls.size > 0 || waiting.get(signal)?.calls !== calls) return
    signal.removeEventListener('abort', aborted)
    waiting.delete(signal)
  }
}
