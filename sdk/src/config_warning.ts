/** Says what is odd about a site's configuration: as a warning of the process, of type `RelydConfigWarning`. */

const told = new Set<string>()

/** Warns once in a process: a site may make several clients of one cfg. */
export function warnOnce(message: string): void {
  if (told.has(message)) return
  told.add(message)
  process.emitWarning(message, { type: 'RelydConfigWarning' })
}
