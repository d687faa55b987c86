/** What the kernel knows of a process. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** How many descriptors it has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Memory that it occupies, in MiB, garbage included. */
export function residentMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

/** Where it listens for TCP. An address of IPv4 within IPv6 is told as IPv4, others of IPv6 as their digits. */
export function listensAt(pid: number): { address: string; port: number }[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`)) ?? []
      return inode ?? []
    }),
  )
  return ['tcp', 'tcp6'].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === LISTEN && sockets.has(inode ?? ''))
      .map(([, local = '']) => {
        const [address = '', port = ''] = local.split(':')
        return { address: addressOf(address), port: Number.parseInt(port, 16) }
      }),
  )
}

const LISTEN = '0A'

/** Words of 32 bits, each with its bytes in this machine's order. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse())
  const last = bytes.slice(-4).map((byte) => Number.parseInt(byte, 16))
  const is_mapped = bytes.length === 16 && /^0{20}ffff/i.test(bytes.join(''))
  return bytes.length === 4 || is_mapped ? last.join('.') : bytes.join('')
}

/** Where a symbolic link leads; nowhere if it has gone meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
