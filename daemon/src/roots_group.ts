/** Groups that may change what is root's, because their members are as good as root. */

/** On Debian the group of /usr/local and /var/local: empty at first, and for who may become root anyway. */
const STAFF = 50

/** @param group_file text of the host's, or the image's, /etc/group */
export function isRootsGroup(gid: number, group_file: string): boolean {
  return gid === 0 || (gid === STAFF && new RegExp(`^staff:[^:]*:${STAFF}:`, 'm').test(group_file))
}
