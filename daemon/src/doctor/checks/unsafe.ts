/** What the operator made unsafe, perhaps for a day, and forgot. */
import { networkInterfaces } from 'node:os'
import type { Config, ListenerConfig } from '../../config/config.js'
import type { Option } from '../../config/option.js'
import { daemonOptions, listenerOptions, realmOptions } from '../../config/options.js'
import { oneFamilyOnly } from '../../config/oxd_realm.js'
import type { RealmPolicy } from '../../context.js'
import { type Finding, note, warning } from '../finding.js'
import type { World } from '../world.js'

export async function unsafe({ config }: World): Promise<Finding[]> {
  const { unsafe: why_not } = realmOptions.front_channel_access_tokens
  const open = [...config.realms.values()].filter((realm) => realm.front_channel_access_tokens)
  const of_realms = open.map(({ name }) =>
    warning(
      `[realm ${name}]`,
      `front_channel_access_tokens = yes: ${why_not}`,
      `take front_channel_access_tokens out of ${config.path}`,
    ),
  )
  const of_daemon = Object.entries(daemonOptions as Record<string, Option>).flatMap(
    ([name, option]) => {
      const value = (config.daemon as Record<string, unknown>)[name]
      if (option.unsafe === undefined || value === undefined || String(value) === '') return []
      const why = `${name} = ${[value].flat().join(', ')}: ${option.unsafe}`
      return [warning('[daemon]', why, `take ${name} out of ${config.path}`)]
    },
  )
  return [
    ...of_daemon,
    ...of_realms,
    ...[...config.realms.values()].flatMap(ofOxdClients(config)),
    ...config.listeners.flatMap(ofOxdHttp(config)),
  ]
}

/** Chosen with open eyes, and for as long as such clients are there: a note, but for what is easily mended. */
function ofOxdClients(config: Config) {
  const { unsafe: why_not } = realmOptions.oxd_clients
  return (realm: RealmPolicy): Finding[] => {
    const { name, oxd_clients } = realm
    if (oxd_clients === undefined) return []
    return [
      note(
        `[realm ${name}]`,
        `oxd_clients = ${oxd_clients}: ${why_not}`,
        `nothing, while websites of the realm use clients of oxD; then take oxd_clients out of ${config.path}`,
      ),
      ...(hasBothFamilies() ? oneFamilyOnly(config, realm) : []).map(
        ({ listener, address, missing }) =>
          warning(
            `[listener ${listener}]`,
            `of oxd clients, some try ${missing} for localhost, and do not find ${address}`,
            `add a listener with "address = ${missing}" and "realm = ${name}" to ${config.path}`,
          ),
      ),
    ]
  }
}

function ofOxdHttp({ path }: Config) {
  const { unsafe: why_not } = listenerOptions.oxd_http
  return ({ name, oxd_http }: ListenerConfig): Finding[] =>
    oxd_http
      ? [
          note(
            `[listener ${name}]`,
            `oxd_http is on: ${why_not}`,
            `nothing, while clients use it; those of the socket need it not, so else take oxd_http out of ${path}`,
          ),
        ]
      : []
}

function hasBothFamilies(): boolean {
  const of_host = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  return ['127.0.0.1', '::1'].every((one) => of_host.some(({ address }) => address === one))
}
