/** A site's life over a real socket at a real OP, by each command of oxd, as each of oxd's client libraries sends and reads. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { oxdCommands } from '../../daemon/src/oxd/commands/index.js'
import type { OxdCommand } from '../../daemon/src/oxd/oxd_command.js'
import type { Op } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { oxdClients } from '../support/oxd/clients/index.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { startOxdOp } from '../support/oxd/oxd_op.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { OxdSite, steps } from '../support/oxd/whole_login.js'

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOxdOp()
  daemon = await startOxdDaemon()
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

test('each command has a step', () => {
  expect(Object.keys(steps).sort()).toEqual(Object.keys(oxdCommands).sort())
})

test('a site that names no OP is refused, where none is the default', async () => {
  using wire = await OxdWire.connect(daemon.socket)
  const site = { authorization_redirect_uri: 'https://site.example/callback', op_host: null }
  expect(await wire.refused('register_site', site)).toMatchObject({ error: 'invalid_op_host' })
})

test.each(oxdClients)(
  '%s: a whole login, and each command by each of its names',
  async (_, connect) => {
    const client = connect(daemon.port)
    try {
      const site = new OxdSite(client, op)
      for (const [command, step] of Object.entries(steps)) {
        const { names = [] } = oxdCommands[command as keyof typeof oxdCommands] as OxdCommand
        for (const name of [command, ...names]) await step(site, name)
      }
    } finally {
      client.close()
    }
  },
)
