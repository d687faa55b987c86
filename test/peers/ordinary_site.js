/**
 * A website's process that is not root's, on the built SDK: calls the client's methods that it is told,
 * one after the other, and prints what each gave as a line of JSON.
 */
import { Client } from '../../sdk/dist/index.js'

const [, , cfg, ...methods] = process.argv
if (process.getuid() === 0 && !process.env.STAY_ROOT) {
  process.setgroups([])
  process.setgid(65534)
  process.setuid(65534)
}
const client = new Client(cfg)
for (const method of methods) {
  const given = await client[method]().catch((error) => ({
    error: `${error.name} ${error.message}`,
  }))
  console.log(JSON.stringify(given))
}
await client.close()
