/** Sockets at start: a stale file is recovered, a living daemon is left alone, permissions are as configured. */
import { statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

test('the socket of a killed daemon is recovered', async () => {
  await using daemon = await TestDaemon.start()
  await daemon.signal('SIGKILL')
  expect(statSync(daemon.socket).isSocket()).toBe(true)
  await daemon.start()
  using wire = await Wire.connect(daemon.socket)
  await wire.ok('ping')
  expect(statSync(daemon.socket).mode & 0o777).toBe(0o660)
})

test('the socket of a living daemon is refused, and goes on working', async () => {
  await using daemon = await TestDaemon.start()
  await using second = new TestDaemon({
    sections: `[listener taken]\naddress = unix:${daemon.socket}`,
  })
  await expect(second.start()).rejects.toThrow(/another process listens on .*relyd\.sock/)
  using wire = await Wire.connect(daemon.socket)
  await wire.ok('ping')
})

test('a file that is no socket is not removed', async () => {
  await using daemon = new TestDaemon()
  writeFileSync(daemon.socket, 'precious')
  await expect(daemon.start()).rejects.toThrow(/is not a socket/)
  expect(statSync(daemon.socket).size).toBe('precious'.length)
})

test("through another realm, a site's id is as unknown as one that never was", async () => {
  const op = await startOp()
  await using daemon = new TestDaemon({
    sections:
      '[listener other]\naddress = unix:{folder}/other.sock\nrealm = other\n[realm other]\ntokens = daemon',
  })
  await daemon.start()
  using wire = await Wire.connect(daemon.socket)
  using other = await Wire.connect(`${daemon.folder}/other.sock`)
  const oxd_id = await registerIssued(wire, op)
  const { request_id: _, ...foreign } = await other.refused('get_site', { oxd_id })
  expect(foreign.error).toBe('invalid_oxd_id')
  const never = await other.refused('get_site', { oxd_id: 'never' })
  expect(never).toEqual({ ...foreign, request_id: expect.any(String) })
  expect((await wire.ok('get_site', { oxd_id })).tokens).toBe('site')
  const theirs = await registerIssued(other, op)
  expect((await other.ok('get_site', { oxd_id: theirs })).tokens).toBe('daemon')
  await op.close()
})
