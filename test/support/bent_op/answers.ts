/** Ready answers and faults for a bent OP. */
import type { ServerResponse } from 'node:http'
import type { Answer, Bend, Members, Takeover } from './types.js'

export function json(body: object, status = 200, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body }
}

/** A bend that changes members of an honest JSON answer; undefined drops one. */
export function withMembers(members: Members): Bend {
  return (answer) => ({ ...answer, body: { ...(answer.body as object), ...members } })
}

/** A bend that answers this whatever was asked. */
export function answers(answer: Answer | Takeover): Bend {
  return () => answer
}

export function html(status = 200): Answer {
  const body = '<!doctype html><title>Sorry</title><h1>We are updating our systems</h1>'
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body }
}

export function redirect(location: string, status = 302): Answer {
  return { status, headers: { location }, body: '' }
}

/** A JSON object of this many bytes. */
export function huge(bytes: number): Answer {
  return json(Buffer.from(`{"a":"${'a'.repeat(bytes - 8)}"}`))
}

/** Never answers. */
export const hang: Takeover = () => {}

/** Sends headers and a first byte, then a byte at a time, without end. */
export const drip: Takeover = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 20)
  response.on('close', () => clearInterval(timer))
}

/** Resets the connection instead of answering. */
export const reset: Takeover = (response) => {
  response.socket?.resetAndDestroy()
}

/** Resets the connection in the middle of the body. */
export const resetMidBody: Takeover = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
  response.write('{"access_token":"', () => response.socket?.resetAndDestroy())
}

/** A bend that gives the honest answer, when it may. */
export function held(until: Promise<unknown>): Bend {
  return (answer) => (response) => {
    void until.then(() => send(response, answer))
  }
}

/** Writes an answer as HTTP. */
export function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  const isText = typeof body === 'string' || Buffer.isBuffer(body)
  response.end(isText ? body : JSON.stringify(body))
}
