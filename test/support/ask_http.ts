/** Asks the daemon by HTTP, as Prometheus and a load balancer do. */
import { request } from 'node:http'
import { text } from 'node:stream/consumers'

export interface HttpAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface HttpRequest {
  method?: string
  headers?: Record<string, string>
  body?: string
}

/** @param where the path of a Unix socket, or a port of loopback */
export async function askHttp(
  where: string | number,
  path: string,
  { method = 'GET', headers = {}, body }: HttpRequest = {},
): Promise<HttpAnswer> {
  const place = typeof where === 'string' ? { socketPath: where } : { port: where }
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', ...place, path, method, headers, agent: false }, (response) => {
      const { statusCode = 0, headers } = response
      text(response).then((body) => resolve({ status: statusCode, headers, body }), reject)
    })
      .on('error', reject)
      .end(body)
  })
}
