/** By what relyd knows the files it has laid down, and what an operator asks for beside them. */
import { faultOfName } from '../config/option.js'
import { StartError } from '../start_error.js'

/** The first line of a file that a later install may replace and an uninstall may remove. */
export const HEADER =
  '# Laid down by `relyd service install`, which replaces it; change it by a drop-in (systemctl edit).'

const MARK = '# Laid down by `relyd service install`'

export function isOurs(text: string): boolean {
  return text.startsWith(MARK)
}

/** A website's own socket: of a listener, for a user, perhaps for a group. */
export interface SocketOwner {
  listener: string
  user: string
  group?: string
}

/** As useradd of Debian takes them; nothing that could begin another line of a unit. */
const ACCOUNT = /^[a-z_][a-z0-9_-]{0,30}$/

/**
 * @param text `LISTENER:USER` or `LISTENER:USER:GROUP`
 * @throws StartError
 */
export function socketOwner(text: string): SocketOwner {
  const [listener = '', user = '', group, ...rest] = text.split(':')
  const good =
    rest.length === 0 &&
    faultOfName(listener) === undefined &&
    ACCOUNT.test(user) &&
    (group === undefined || ACCOUNT.test(group))
  if (!good) {
    throw new StartError(
      `--socket ${JSON.stringify(text)} must be LISTENER:USER or LISTENER:USER:GROUP, as in shop:www-shop`,
    )
  }
  // /run/relyd/relyd.sock is the socket of [listener site].
  if (listener === 'site' || listener === 'relyd') {
    throw new StartError(`--socket: ${listener} is relyd.socket's name; choose another`)
  }
  return group === undefined ? { listener, user } : { listener, user, group }
}

/** @returns whom a socket unit that relyd laid down is for; undefined for that of the group relyd */
export function ownerIn(unit: string): SocketOwner | undefined {
  const value = (option: string) => new RegExp(`^${option}=(.*)$`, 'm').exec(unit)?.[1]
  const [listener, user, group] = ['FileDescriptorName', 'SocketUser', 'SocketGroup'].map(value)
  if (listener === undefined || user === undefined) return undefined
  return socketOwner([listener, user, ...(group === undefined ? [] : [group])].join(':'))
}
