/** The daemon's commands, its own and oxD's, and events as the generators walk them. */
import type { AdminCommand } from '../../daemon/dist/admin/admin_command.js'
import { adminCommands } from '../../daemon/dist/admin/commands/index.js'
import type { Command, Field } from '../../daemon/dist/command.js'
import { commands } from '../../daemon/dist/commands/index.js'
import { type EventSpec, events } from '../../daemon/dist/events.js'
import { oxdCommands } from '../../daemon/dist/oxd/commands/index.js'
import type { OxdCommand } from '../../daemon/dist/oxd/oxd_command.js'

export const table: [name: string, command: Command][] = Object.entries(commands)

export const adminTable: [name: string, command: AdminCommand][] = Object.entries(adminCommands)

/** By name: there is no better order in what grew over ten years. */
export const oxdTable: [name: string, command: OxdCommand][] = Object.entries<OxdCommand>(
  oxdCommands,
).sort(([one], [other]) => (one < other ? -1 : 1))

export const eventTable: [name: string, event: EventSpec][] = Object.entries(events)

/** Whether the daemon looks the caller's site up, so that the SDK adds its oxd_id. */
export function isSiteCommand(command: Command): boolean {
  return 'oxd_id' in command.params
}

/** A field's documentation with its source. */
export function sentence({ doc, spec }: Pick<Field, 'doc' | 'spec'>): string {
  return spec ? `${doc.replace(/\.$/, '')} (${spec}).` : doc
}

/** The part of JSON Schema that the fields of commands use. */
interface FieldSchema {
  type?: string
  enum?: string[]
  anyOf?: FieldSchema[]
  items?: FieldSchema
  additionalProperties?: FieldSchema
  properties?: Record<string, FieldSchema>
  required?: string[]
}

/** A field's type as TypeScript writes it. */
export function typeOf(schema: object): string {
  const { type, enum: values, anyOf, items, properties, ...rest } = schema as FieldSchema
  if (values) return values.map((value) => `'${value}'`).join(' | ')
  if (anyOf) return anyOf.map(typeOf).join(' | ')
  switch (type) {
    case 'integer':
      return 'number'
    case 'array':
      return listOf(typeOf(items ?? {}))
    case 'object':
      if (Object.keys(properties ?? {}).length > 0)
        return `{ ${membersOf(properties ?? {}, rest.required ?? [])} }`
      return `Record<string, ${typeOf(rest.additionalProperties ?? {})}>`
    default:
      return type ?? 'unknown'
  }
}

function membersOf(properties: Record<string, FieldSchema>, required: string[]): string {
  return Object.entries(properties)
    .map(
      ([name, schema]) =>
        `${/^\w+$/.test(name) ? name : `'${name}'`}${required.includes(name) ? '' : '?'}: ${typeOf(schema)}`,
    )
    .join('; ')
}

function listOf(type: string): string {
  return type.includes(' | ') ? `(${type})[]` : `${type}[]`
}

/** `get_user_info` becomes `GetUserInfo`. */
export function pascalCase(name: string): string {
  return name
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}
