/** Why the daemon does not start, in words for the operator's terminal. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
