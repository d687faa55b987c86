/** Says what keeps a website's user away from the daemon's socket, and the command that lets it in. */
import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'

/** The group's bits of a mode: to write to a socket, to enter a folder. */
const GROUP_WRITES = 0o020
const GROUP_ENTERS = 0o010

/** @param path a socket that this user could not connect to */
export function permissionDenied(path: string): string {
  const folder = outermostClosedFolder(path)
  const closed = folder ?? path
  const user = userName()
  const denied = `permission denied: user ${user} may not ${folder ? 'enter' : 'write to'} ${closed}`
  return `${denied}. ${cure(closed, user, folder !== undefined)}`
}

function cure(closed: string, user: string, isFolder: boolean): string {
  const stats = statOf(closed)
  const mode = stats && `0${(stats.mode & 0o777).toString(8)}`
  if (stats && (stats.mode & (isFolder ? GROUP_ENTERS : GROUP_WRITES)) === 0) {
    return isFolder
      ? `Its mode is ${mode}; as root, "chmod g+x ${closed}", and add the user to its group`
      : `Its mode is ${mode}; set "mode = 0660" for the listener in relyd.cfg, then "systemctl restart relyd"`
  }
  if (stats?.gid === 0) {
    return `It is of the group root; as root, "chgrp $(id -gn ${user}) ${closed}", and run relyd as a user of its own`
  }
  return `Add the user to its group: as root, "usermod -aG $(stat -c %G ${closed}) ${user}"; then restart the site`
}

/** The outermost folder that keeps this user away from the socket, if one does. */
function outermostClosedFolder(path: string): string | undefined {
  let closed: string | undefined
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      accessSync(folder, constants.X_OK)
    } catch {
      closed = folder
    }
    if (folder === dirname(folder)) return closed
  }
}

/** @returns undefined if nobody may tell */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.())
  }
}
