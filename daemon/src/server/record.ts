/**
 * Holds every reply against its command's declaration, for the test suite: the file named by
 * RELYD_RECORD gets a line a command, without parameters or results.
 */
import { appendFileSync } from 'node:fs'
import { Compile } from 'typebox/compile'
import { adminCommands } from '../admin/commands/index.js'
import { type Fields, schemaOf } from '../command.js'
import { commands } from '../commands/index.js'
import { type ErrorCode, errors } from '../errors.js'
import { oxdCommands } from '../oxd/commands/index.js'
import type { Reply } from './envelope.js'

export type Recorder = (command: string, reply: Reply) => void

/** A line of the record. */
export interface RecordedReply {
  command: string
  /** `ok`, or the error's code. */
  outcome: string
  /** How the reply differs from what the command declares; absent where it does not. */
  fault?: string
}

interface Declared {
  result: Fields
  /** Absent where any may come: oxd's commands are made of others. */
  errors?: readonly ErrorCode[]
}

/** Every command, the operator's as `admin/<name>`, those of oxd clients as `oxd/<name>`. */
const declared = new Map<string, Declared>([
  ...Object.entries(commands),
  ...Object.entries(oxdCommands).map(([name, { result }]): [string, Declared] => [
    `oxd/${name}`,
    { result },
  ]),
  ...Object.entries(adminCommands).map(([name, one]): [string, Declared] => [`admin/${name}`, one]),
])

export function createRecorder(path: string): Recorder {
  const results = new Map(
    [...declared].map(([name, { result }]) => [name, Compile(schemaOf(result))]),
  )
  return (command, reply) => {
    const line: RecordedReply = {
      command,
      outcome: reply.status === 'ok' ? 'ok' : reply.data.error,
    }
    const fault = reply.status === 'ok' ? faultOfResult(reply.data) : faultOfError(reply.data.error)
    appendFileSync(path, `${JSON.stringify(fault ? { ...line, fault } : line)}\n`)

    function faultOfResult(data: object): string | undefined {
      const validator = results.get(command)
      if (!validator || validator.Check(data)) return undefined
      return validator
        .Errors(data)
        .map(({ instancePath, message }) => `${instancePath} ${message}`)
        .join('; ')
    }

    function faultOfError(code: string): string | undefined {
      if ('common' in errors[code as ErrorCode]) return undefined
      const { errors: codes = [] } = declared.get(command) ?? {}
      return command.startsWith('oxd/') || codes.includes(code as ErrorCode)
        ? undefined
        : `${code} is not declared`
    }
  }
}
