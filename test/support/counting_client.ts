/** A client of the SDK that counts what it asks relyd. */
import type { CallOptions, CommandTraits } from '../../sdk/src/call_options.js'
import { Client } from '../../sdk/src/index.js'

export class CountingClient extends Client {
  readonly #asked: string[] = []

  asked(command: string): number {
    return this.#asked.filter((one) => one === command).length
  }

  protected override request(
    command: string,
    params: object,
    traits: CommandTraits,
    options?: CallOptions,
  ): Promise<unknown> {
    this.#asked.push(command)
    return super.request(command, params, traits, options)
  }
}
