/** A website's process on the built SDK: makes one authorization URL and prints its client_id. */
import { Client } from '../../sdk/dist/index.js'

const client = new Client(process.argv[2])
const { authorization_url } = await client.getAuthorizationUrl()
process.stdout.write(`client_id=${new URL(authorization_url).searchParams.get('client_id')}`)
await client.close()
