/** A website's process ends by itself: nothing of the SDK keeps it when nobody waits for a reply. */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { listen, newFolder } from '../../test/support/bent_daemon.js'
import { runOnClient, runOnSdk } from '../../test/support/sdk_process.js'

function cfgFor(path: string): string {
  const cfg = join(dirname(path), 'site.cfg')
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${path}\nid = site-7\n[client]\nauthorization_redirect_uri = https://site.example/callback\n`,
  )
  return cfg
}

test('an idle connection does not keep the process alive, a pending call does', async () => {
  const peer = await listen(({ command, ok }) => {
    if (command === 'quick') ok('one')
    // Late enough for the process to have ended, if nothing kept it.
    else setTimeout(ok, 100, 'two')
  })
  const { output } = runOnSdk(
    `console.log(await connection.call('quick', {}, 'safe'))
    connection.call('slow', {}, 'safe').then(console.log)`,
    peer.path,
  )
  expect(await output).toBe('one\ntwo\n')
})

test('a call that waits for another attempt keeps it alive until it is told', async () => {
  const { output } = runOnSdk(
    `connection.call('ping', {}, 'safe').catch(({ code }) => console.log(code))`,
    join(newFolder(), 'relyd.sock'),
  )
  expect(await output).toBe('ERR_UNREACHABLE\n')
})

test('listening to events does not keep it alive', async () => {
  const peer = await listen(({ ok }) => ok({ events: ['logout'] }))
  const { output } = runOnClient(
    `client.on('logout', () => {})
    await client.ping()
    console.log('done')`,
    cfgFor(peer.path),
  )
  expect(await output).toBe('done\n')
})

test('nor does a daemon that is not there, or does not answer', async () => {
  const silent = await listen(() => {})
  for (const path of [silent.path, join(newFolder(), 'relyd.sock')]) {
    const { output } = runOnClient(
      `client.on('logout', () => {})
      setTimeout(() => console.log('done'), 50)`,
      cfgFor(path),
    )
    expect(await output).toBe('done\n')
  }
})

test('nor does the wait between two attempts to subscribe', async () => {
  const peer = await listen(({ refuse }) => refuse('internal_error'))
  const { output } = runOnClient(
    `client.on('logout', () => {})
    process.on('warning', ({ name }) => console.log(name))
    const tell = () => console.log(process.getActiveResourcesInfo().join(), 'done')
    setTimeout(setImmediate, 300, tell)`,
    cfgFor(peer.path),
  )
  const words = await output
  expect(words).toMatch(/done\n$/)
  expect(words).not.toMatch(/Timeout.*done/)
  // Once, however many attempts there were.
  expect(words.match(/^RelydEventWarning$/gm)).toHaveLength(1)
  expect(peer.seen.length).toBeGreaterThan(1)
})
