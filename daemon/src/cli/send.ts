/** What `relyd call` does: finds the socket, sends the command, and prints the answer. */
import { Client, CommandError, ConfigError, TransportError } from '@relyd/sdk'
import { nearestName } from '@relyd/sdk/ini_file'
import { adminCommands } from '../admin/commands/index.js'
import type { Fields } from '../command.js'
import { commands } from '../commands/index.js'
import { loadConfig } from '../config/load.js'
import { ask } from './admin_client.js'
import { readParams } from './call_params.js'
import { CliError, exitCodes, wrongUsage } from './exit_codes.js'
import { complain, sayJson } from './output.js'

export interface CallOptions {
  config: string
  admin?: true
  listener?: string
  socket?: string
  cfg?: string
  json?: string
  compact?: true
}

/** Sends it and prints what was answered. */
export async function call(name: string, words: string[], options: CallOptions): Promise<void> {
  const { params, result } = declarationOf(name, options)
  const sent = readParams(params, words, options.json)
  const data = await answerTo(name, sent, options)
  const secrets = Object.keys(data).filter((key) => result[key]?.secret)
  sayJson(data, { compact: options.compact === true })
  if (secrets.length > 0 && process.stdout.isTTY) {
    complain(`relyd: ${secrets.join(', ')} above is secret; clear this terminal when you are done`)
  }
}

/** What the call takes and answers. With a cfg the SDK knows the site, and what it registers with. */
function declarationOf(
  name: string,
  { admin, cfg }: CallOptions,
): { params: Fields; result: Fields } {
  const table: Record<string, { params: Fields; result: Fields }> = admin ? adminCommands : commands
  const found = Object.hasOwn(table, name) ? table[name] : undefined
  if (!found) throw unknownCommand(name, table, admin ? commands : adminCommands, admin)
  if (cfg === undefined) return found
  const { oxd_id: _, ...params } = found.params
  return { params: name === 'register_site' ? {} : params, result: found.result }
}

function unknownCommand(name: string, table: object, other: object, admin?: true): CliError {
  if (Object.hasOwn(other, name)) {
    return wrongUsage(
      admin
        ? `${name} is a website's command: leave --admin out`
        : `${name} is the operator's: add --admin`,
    )
  }
  const near = nearestName(name, Object.keys(table))
  return wrongUsage(
    near === undefined
      ? `there is no command of that name; there are ${Object.keys(table).join(', ')}`
      : `there is no command of that name; did you mean ${near}?`,
  )
}

async function answerTo(name: string, params: object, options: CallOptions): Promise<object> {
  if (options.cfg !== undefined) return overSdk(options.cfg, name, params)
  const path = socketOf(options)
  const whose = options.admin ? 'operator' : 'site'
  const reply = await ask(path, { command: name, params }, { whose })
  if (reply.status === 'error') throw refused(reply.data)
  return reply.data
}

/** The Unix socket that the options mean. */
function socketOf({ config, admin, listener, socket }: CallOptions): string {
  if (socket !== undefined) return socket
  const { daemon, listeners } = loadConfig(config)
  if (admin) return daemon.admin_socket
  const local = listeners.flatMap(({ name, address }) =>
    address.kind === 'unix' ? [{ name, path: address.path }] : [],
  )
  const found = listener === undefined ? local[0] : local.find(({ name }) => name === listener)
  if (found) return found.path
  const names = local.map(({ name }) => name).join(', ') || 'none'
  const missing =
    listener === undefined
      ? `${config} has no listener on a Unix socket`
      : `${config} has no listener ${listener} on a Unix socket (it has ${names})`
  throw wrongUsage(`${missing}; over TCP, name the website's cfg with --cfg`)
}

/** As the website itself would, with its socket, its TLS files and its oxd_id. */
async function overSdk(path: string, name: string, params: object): Promise<object> {
  try {
    const client = new Client(path)
    try {
      if (name === 'register_site') return { oxd_id: await client.registerSite() }
      const method = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
      const methods = client as unknown as Record<string, (params: object) => Promise<object>>
      return (await methods[method]?.call(client, params)) ?? {}
    } finally {
      await client.close()
    }
  } catch (error) {
    if (error instanceof CommandError) {
      const { code, message, details, request_id } = error
      throw refused({ error: code, error_description: message, details, request_id })
    }
    if (error instanceof TransportError) throw new CliError(exitCodes.unreachable, error.message)
    if (error instanceof ConfigError) throw new CliError(exitCodes.failed, error.message)
    throw error
  }
}

interface Refusal {
  error: string
  error_description: string
  details?: object | undefined
  /** An older daemon has none. */
  request_id?: string | undefined
}

function refused({ error, error_description, details, request_id }: Refusal): CliError {
  const more = [
    ...(details ? [`details ${JSON.stringify(details)}`] : []),
    ...(request_id === undefined ? [] : [`request_id ${request_id}`]),
  ]
  const tail = more.length > 0 ? ` (${more.join(', ')})` : ''
  return new CliError(exitCodes.failed, `${error}: ${error_description}${tail}`)
}
