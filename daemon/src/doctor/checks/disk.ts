/** Whether there is room for the database to grow. */
import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Finding, fault, warning } from '../finding.js'
import type { World } from '../world.js'

const MIB = 1024 ** 2

/** A commit, a WAL and its checkpoint need some of it at once. */
const FAULT_BYTES = 32 * MIB
const WARNING_BYTES = 256 * MIB

/** A commit makes no file, an upgrade's copy and a backup do. */
const FAULT_INODES = 16
const WARNING_INODES = 1000

export async function disk({ config }: World): Promise<Finding[]> {
  const folder = nearestFolder(dirname(config.daemon.database))
  const { bavail, bsize, files, ffree } = await statfs(folder)
  const free = bavail * bsize
  const found: Finding[] = []
  if (free < WARNING_BYTES) {
    const left = `${Math.floor(free / MIB)} MiB are left where the database lies`
    const severity = free < FAULT_BYTES ? fault : warning
    found.push(
      severity(
        folder,
        `the disk is ${free < FAULT_BYTES ? 'full' : 'nearly full'}: ${left}; without room no login is stored`,
        `make room (df -h ${folder}), or move the database`,
      ),
    )
  }
  // Some file systems have no fixed number of them, and say 0 of 0.
  if (files > 0 && ffree < WARNING_INODES) {
    const severity = ffree < FAULT_INODES ? fault : warning
    found.push(
      severity(
        folder,
        `the file system has ${ffree} of ${files} inodes left`,
        `remove files that nobody needs (df -i ${folder})`,
      ),
    )
  }
  return found
}

function nearestFolder(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestFolder(dirname(path))
}
