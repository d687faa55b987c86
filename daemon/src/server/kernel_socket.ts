/** What the kernel knows of a listening socket that this process was given: its kind and address. */
import { readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { endianness } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import ipaddr from 'ipaddr.js'
import type { Address } from '../config/option.js'

export type KernelSocket =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number }

/** `__SO_ACCEPTCON` and `SOCK_STREAM` of /proc/net/unix, TCP_LISTEN of /proc/net/tcp. */
const ACCEPTS = '00010000'
const STREAM = '0001'
const LISTENS = '0A'

/**
 * Node tells neither the path of a Unix socket that it did not bind itself, nor whether a socket
 * listens; it would make any bound one listen.
 *
 * @returns what the kernel's tables say of it, as a stream socket that listens. There may be more
 * than one: names of Unix sockets stand there as they are, so that whoever binds one with a line
 * break in it adds a row. No such name takes the true row away.
 */
export function kernelSockets(fd: number): KernelSocket[] {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(fd)) ?? []
  if (inode === undefined) return []
  // Num RefCount Protocol Flags Type St Inode Path
  const unix = table('unix').flatMap((line): KernelSocket[] => {
    const [, flags, type, found, path] =
      /^\S+ \S+ \S+ (\S+) (\S+) \S+ +(\d+) (.+)$/.exec(line) ?? []
    const listens = found === inode && flags === ACCEPTS && type === STREAM
    return listens && path ? [{ kind: 'unix', path }] : []
  })
  const tcp = [...table('tcp'), ...table('tcp6')].flatMap((line): KernelSocket[] => {
    const [, local = '', , state, , , , , , found] = line.trim().split(/\s+/)
    return found === inode && state === LISTENS ? [tcpSocket(local)] : []
  })
  return [...tcp, ...unix]
}

/** Whether the socket is where the configuration says; port 0 stands for any. */
export function isAt(socket: KernelSocket, address: Address): boolean {
  if (socket.kind === 'unix')
    return address.kind === 'unix' && isSamePath(socket.path, address.path)
  if (address.kind !== 'tcp' || (address.port !== 0 && address.port !== socket.port)) return false
  if (address.host.toLowerCase() === 'localhost') return /^(127\.0\.0\.1|::1)$/.test(socket.host)
  // A name could mean another address tomorrow.
  return ipaddr.isValid(address.host) && canonical(address.host) === socket.host
}

/** As relyd.cfg would have it. */
export function textOf(socket: KernelSocket): string {
  if (socket.kind === 'unix') return `unix:${socket.path}`
  const host = socket.host.includes(':') ? `[${socket.host}]` : socket.host
  return `tcp:${host}:${socket.port}`
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}

function table(name: 'unix' | 'tcp' | 'tcp6'): string[] {
  try {
    return readFileSync(`/proc/self/net/${name}`, 'utf8').split('\n')
  } catch (error) {
    // A kernel without IPv6 has none.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** @param local the address in words of 32 bits as the processor holds them, and the port: `0100007F:1F90` */
function tcpSocket(local: string): KernelSocket {
  const [words = '', port = ''] = local.split(':')
  const bytes = Buffer.from(words, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  return {
    kind: 'tcp',
    host: canonical(ipaddr.fromByteArray([...bytes]).toString()),
    port: Number.parseInt(port, 16),
  }
}

/** An IPv4 address within IPv6 is that IPv4 address. */
function canonical(host: string): string {
  return ipaddr.process(host).toString()
}

/** /var/run/relyd and /run/relyd are one folder. */
function isSamePath(one: string, other: string): boolean {
  return one === other || realPath(one) === realPath(other)
}

function realPath(path: string): string {
  const whole = resolve(path)
  try {
    return join(realpathSync(dirname(whole)), basename(whole))
  } catch {
    return whole
  }
}
