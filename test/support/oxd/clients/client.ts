/** What the client libraries of oxD have in common, as tests see them. */
import type { OxdReply } from '../oxd_wire.js'

/** Sends as its library sends, and reads as it reads. */
export interface OxdClient {
  name: string
  /** @throws Error where the library would fail, or never answer */
  request(command: string, params?: object): Promise<OxdReply>
  close(): void
}

/** @param where the path of a Unix socket, or a port of 127.0.0.1 */
export type Connect = (where: string | number) => OxdClient

/** The length as PHP and Ruby write it: a zero and the number, however short. */
export function zeroBefore(length: number): string {
  return length <= 999 ? `0${length}` : `${length}`
}

/** JSON with nothing but ASCII in it, as Python and PHP write it. */
export function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
