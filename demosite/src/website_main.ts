/** The website as a process of its own, started by main.ts. */
import { parseArgs } from 'node:util'
import { Client } from '@relyd/sdk'
import { serveParent } from './child.js'
import { listenOnLocalhost } from './localhost.js'
import { website } from './website.js'

await serveParent(async () => {
  const { values } = parseArgs({
    options: {
      config: { type: 'string', default: 'site.cfg' },
      port: { type: 'string', default: '8400' },
      'form-action': { type: 'string', multiple: true, default: [] },
    },
  })
  const client = new Client(values.config)
  const listener = website(client, values['form-action'])
  const server = await listenOnLocalhost(Number(values.port), listener)
  return {
    address: `http://localhost:${values.port}`,
    async close() {
      await server.close()
      await client.close()
    },
  }
})
