/** Whose tokens protect a site: those of its setup client at its own OP, and where it has none, nobody's. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BentOp } from '../support/bent_op/index.js'
import type { TestDaemon } from '../support/daemon.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'
const issued = { client_id: 'issued', client_secret: 'of the OP, long enough for anybody' }

/** Two OPs that know the same client. */
let op: BentOp
let other: BentOp
/** As it was before protection was switched on, and as it is now. */
let before: TestDaemon
let daemon: TestDaemon
let client: OxdWire
let admin: Wire

beforeAll(async () => {
  ;[op, other] = await Promise.all([BentOp.start(), BentOp.start()])
  for (const one of [op, other]) {
    one.addClient({
      ...issued,
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [authorization_redirect_uri],
    })
  }
  before = await startOxdDaemon()
  daemon = await startOxdDaemon(
    { daemon: { state_directory: join(before.folder, 'state') } },
    '3.1',
    'protect_commands_with_access_token = yes',
  )
  client = await OxdWire.connect(daemon.socket)
  admin = await Wire.connect(daemon.admin_socket)
})

afterAll(async () => {
  for (const wire of [client, admin]) wire[Symbol.dispose]()
  for (const one of [daemon, before, op, other]) await one[Symbol.asyncDispose]()
})

const at = ({ issuer }: BentOp) => ({ op_host: issuer, ...issued })

async function tokenAt(where: BentOp): Promise<string> {
  return (await client.ok('get_client_token', at(where))).access_token
}

/** A site that the operator added. */
async function addSite(name: string): Promise<string> {
  const redirect_uris = [authorization_redirect_uri]
  return (await admin.ok('add_site', { ...at(op), name, redirect_uris })).oxd_id
}

/** Nor is an OP asked. */
async function expectUnlinked(oxd_id: string, protection_access_token: string): Promise<void> {
  const asked = op.asked.length + other.asked.length
  for (const command of ['get_authorization_url', 'remove_site']) {
    expect(await client.refused(command, { oxd_id, protection_access_token })).toMatchObject({
      error: 'no_setup_client_for_oxd_id',
    })
  }
  expect(op.asked.length + other.asked.length).toBe(asked)
}

test('a site of before protection, which never had a setup client, is commanded by nobody', async () => {
  using wire = await OxdWire.connect(before.socket)
  const site = { ...at(op), authorization_redirect_uri }
  const { oxd_id } = await wire.ok('register_site', site)
  // A token of its own client is none of a setup client's.
  await expectUnlinked(oxd_id, await tokenAt(op))
})

test('a site that the operator added has no setup client either', async () => {
  await expectUnlinked(await addSite('added'), await tokenAt(op))
})

test('a site that was carried here with a setup client at another OP is commanded by nobody', async () => {
  await addSite('carried')
  const { sites } = await admin.ok('export_sites')
  const carried = sites.find(({ name }: { name: string }) => name === 'carried')
  const carry = async (name: string, from: BentOp) => {
    const setup = await client.ok('setup_client', { ...at(from), authorization_redirect_uri })
    const oxd_id = crypto.randomUUID()
    const { client_secret } = issued
    const setup_client = setup.setup_client_oxd_id
    const entry = { ...carried, name, oxd_id, setup_client, client_secret }
    await admin.ok('import_sites', { sites: [entry] })
    return oxd_id
  }
  const linked = await carry('linked', op)
  await client.ok('get_authorization_url', {
    oxd_id: linked,
    protection_access_token: await tokenAt(op),
  })
  await expectUnlinked(await carry('astray', other), await tokenAt(other))
})
