/** Counts the commands of a realm. */
import { ADMIN } from '../config/config.js'
import type { CommandError } from '../errors.js'
import type { Count, Times } from './children.js'
import type { Metrics } from './metrics.js'

interface OfCommand {
  times: Times
  outcomes: Map<string, Count>
}

export class CommandMetrics {
  readonly #metrics: Metrics
  readonly #realm: string
  readonly #commands = new Map<string, OfCommand>()

  constructor(metrics: Metrics, realm: string) {
    this.#metrics = metrics
    this.#realm = realm
  }

  /** @param command the name of one that exists, or `unknown` */
  answered(command: string, outcome: string, ms: number): void {
    const known = this.#commands.get(command) ?? this.#begin(command)
    const count = known.outcomes.get(outcome)
    if (count) count.value += 1
    else this.#count(known, command, outcome).add()
    known.times.observe(ms / 1000)
  }

  /** What was no command to be run. */
  refused(outcome: string): void {
    this.#metrics.count('relyd_frames_refused_total', this.#realm, outcome).add()
  }

  /** Counts a refusal by the limit that it names, if it names one. */
  quota({ code, details }: CommandError): void {
    const option = details?.['option']
    if (code !== 'quota_exceeded' || typeof option !== 'string') return
    this.#metrics.count('relyd_quota_refusals_total', this.#realm, option).add()
  }

  #begin(command: string): OfCommand {
    // The operator's are another matter than a site's of the same name.
    const timed = this.#realm === ADMIN ? `admin/${command}` : command
    const times = this.#metrics.times('relyd_command_duration_seconds', timed)
    const begun = { times, outcomes: new Map() }
    this.#commands.set(command, begun)
    return begun
  }

  #count({ outcomes }: OfCommand, command: string, outcome: string): Count {
    const count = this.#metrics.count('relyd_commands_total', command, this.#realm, outcome)
    outcomes.set(outcome, count)
    return count
  }
}
