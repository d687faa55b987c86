/** A website's process on the built SDK: connects, says so, makes one call when it is told to, and prints the outcome. */
import { once } from 'node:events'
import { Client } from '../../sdk/dist/index.js'

const [, , cfg, method, params] = process.argv
const client = new Client(cfg)
await client.ping()
process.stdout.write('ready\n')
await once(process.stdin, 'data')
const outcome = await client[method](JSON.parse(params)).catch(({ code, message }) => ({
  code,
  message,
}))
process.stdout.write(`${JSON.stringify(outcome)}\n`)
process.stdin.destroy()
await client.close()
