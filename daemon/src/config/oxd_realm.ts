/** What serving oxd clients means for a realm, for whoever tells the operator of it. */
import type { RealmPolicy } from '../context.js'
import { type Config, realmsOf } from './config.js'
import type { TcpAddress } from './option.js'

const OTHER_FAMILY: Readonly<Record<string, string>> = { '127.0.0.1': '[::1]', '::1': '127.0.0.1' }

/** What is otherwise than for the realm's other clients, a line each. */
export function oxdTerms(config: Config, realm: RealmPolicy): string[] {
  const { oxd_clients, protect_commands_with_access_token } = realm
  if (oxd_clients === undefined) return []
  return [
    'UNSAFE: their logins are bound to no browser (login CSRF)',
    'iss may be missing in a callback, where all sites with its redirect URI use one OP',
    ...(oxd_clients === '2.4'
      ? ['state may be missing in a callback, where one login of the site waits']
      : []),
    protect_commands_with_access_token
      ? 'each command needs a protection_access_token; clients other than of oxD are not served'
      : 'no command needs a protection_access_token',
    ...(tcpOf(config, realm).length > 0
      ? ['over TCP an oxd_id is a bearer secret: who knows it speaks for its site']
      : []),
    ...config.listeners
      .filter((listener) => listener.oxd_http && realmsOf(listener).has(realm.name))
      .map(
        ({ name }) =>
          `UNSAFE: HTTP at [listener ${name}]: a program here that posts where others say can be made to post commands`,
      ),
    ...oneFamilyOnly(config, realm).map(
      ({ address, missing }) =>
        `${address} without ${missing}: who tries that for localhost first does not find relyd`,
    ),
  ]
}

/** Addresses of loopback that half of the clients do not try first, or at all. */
export function oneFamilyOnly(
  config: Config,
  realm: RealmPolicy,
): { listener: string; address: string; missing: string }[] {
  const listened = tcpOf(config, realm)
  return listened.flatMap(({ listener, host, port, text }) => {
    const other = OTHER_FAMILY[host]
    const missing = `tcp:${other}:${port}`
    // A port that the kernel chooses is nobody's default.
    if (other === undefined || port === 0) return []
    if (listened.some((one) => one.text === missing)) return []
    return [{ listener, address: text, missing }]
  })
}

function tcpOf(
  { listeners }: Config,
  { name }: RealmPolicy,
): (TcpAddress & { listener: string })[] {
  return listeners.flatMap((listener) =>
    listener.address.kind === 'tcp' && realmsOf(listener).has(name)
      ? [{ ...listener.address, listener: listener.name }]
      : [],
  )
}
