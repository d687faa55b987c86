/** Requests as a browser makes them for a page; Node's own `fetch` always says that it is a script. */
import { type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** @returns the answer as it is: redirects are not followed */
export async function navigate(
  url: string | URL,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  const browser = {
    accept: 'text/html',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  }
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { method, headers: { ...browser, ...headers } }, resolve)
      .on('error', reject)
      .end()
  })
  const { statusCode: status = 0, rawHeaders } = message
  const pairs = rawHeaders.flatMap((name, at): [string, string][] =>
    at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? '']] : [],
  )
  const body = await buffer(message)
  return new Response(body.length > 0 ? body : null, { status, headers: pairs })
}
