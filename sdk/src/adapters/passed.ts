/** Who passed a check, for the handler behind it. */

/** Keyed by the framework's request: its type needs no member more. */
export class Passed<T> {
  readonly #by_request = new WeakMap<object, T>()
  readonly #check: string

  /** @param check its name, for the developer who forgot it */
  constructor(check: string) {
    this.#check = check
  }

  /** @returns whether there was something to put */
  put(request: object, value: T | undefined): boolean {
    if (value === undefined) return false
    this.#by_request.set(request, value)
    return true
  }

  /** @throws Error if the check did not run before */
  of(request: object): T {
    const value = this.#by_request.get(request)
    if (value !== undefined) return value
    throw new Error(`nobody passed ${this.#check} on this route: put it before this handler`)
  }
}
