/** What systemd hears of the daemon, through the real systemd-notify and a real NOTIFY_SOCKET. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createLog } from '../../daemon/src/log.js'
import { ServiceManager } from '../../daemon/src/systemd/notify.js'
import { startWatchdog } from '../../daemon/src/systemd/watchdog.js'
import { TestDaemon } from '../support/daemon.js'
import { hasSystemd, NotifySocket } from '../support/notify_socket.js'
import { Wire } from '../support/wire.js'

const TWICE_EACH_SECOND = '1000000'

describe.skipIf(!hasSystemd())('systemd', () => {
  test('hears that the daemon is ready, alive and stopping, in this order', async () => {
    await using systemd = await NotifySocket.start()
    await using daemon = await TestDaemon.start({
      env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: TWICE_EACH_SECOND },
    })
    const alive = () => systemd.messages.filter(([first]) => first === 'WATCHDOG=1').length
    await expect.poll(alive, { timeout: 10_000 }).toBeGreaterThan(1)
    expect(await daemon.stop()).toBe(0)
    const [first, ...later] = systemd.messages
    expect(first).toEqual(['READY=1', expect.stringMatching(/^STATUS=Listens on unix:.*relyd/)])
    expect(later.at(-1)).toEqual(['STOPPING=1', 'STATUS=Finishes what runs'])
    expect(later.slice(0, -1).every(([line]) => line === 'WATCHDOG=1')).toBe(true)
    expect(daemon.log.filter(({ level }) => level > 30)).toEqual([
      expect.objectContaining({ msg: expect.stringContaining('a new key was made') }),
    ])
  })

  test('hears no sign of life that was meant of another process', async () => {
    await using systemd = await NotifySocket.start()
    await using daemon = await TestDaemon.start({
      env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' },
    })
    expect(await daemon.stop()).toBe(0)
    expect(systemd.messages.map(([line]) => line)).toEqual(['READY=1', 'STOPPING=1'])
  })

  test('hears of a reload, and whether it came to something', async () => {
    await using systemd = await NotifySocket.start()
    await using daemon = await TestDaemon.start({ env: { NOTIFY_SOCKET: systemd.path } })
    const heard = async (count: number) => {
      await expect.poll(() => systemd.messages.length).toBe(count)
      return systemd.messages.slice(-2)
    }
    process.kill(daemon.pid, 'SIGHUP')
    expect(await heard(3)).toEqual([
      ['RELOADING=1', 'STATUS=Reads relyd.cfg again'],
      ['READY=1', expect.stringMatching(/^STATUS=Listens on .*; relyd.cfg is reloaded$/)],
    ])
    appendFileSync(daemon.config, 'nonsense = 1\n')
    process.kill(daemon.pid, 'SIGHUP')
    expect(await heard(5)).toEqual([
      ['RELOADING=1', expect.anything()],
      ['READY=1', expect.stringMatching(/; relyd.cfg is NOT reloaded, see the log$/)],
    ])
  })

  test('hears in order, and never a second assignment', async () => {
    await using systemd = await NotifySocket.start()
    const manager = new ServiceManager(createLog('silent'), { socket: systemd.path })
    void manager.reloading('Reads relyd.cfg')
    void manager.ready('relyd.cfg:3: unknown option "a\nMAINPID=1"')
    await manager.settled()
    await expect
      .poll(() => systemd.messages)
      .toEqual([
        ['RELOADING=1', 'STATUS=Reads relyd.cfg'],
        ['READY=1', 'STATUS=relyd.cfg:3: unknown option "a?MAINPID=1"'],
      ])
  })
})

test('systemd that does not listen is warned of once, and ends nothing', async () => {
  await using daemon = new TestDaemon({
    env: { NOTIFY_SOCKET: '/nonexistent/notify', WATCHDOG_USEC: '100000' },
  })
  await daemon.start()
  const warnings = () => daemon.log.filter(({ msg }) => msg.includes('systemd-notify failed'))
  await expect.poll(warnings).toHaveLength(1)
  using wire = await Wire.connect(daemon.socket)
  await wire.ok('ping')
  expect(await daemon.stop()).toBe(0)
  expect(warnings()).toHaveLength(1)
})

test('a missing systemd-notify is one warning', async () => {
  const lines: string[] = []
  const log = createLog('warn', { write: (line: string) => lines.push(line) })
  const manager = new ServiceManager(log, { socket: '/run/x', path: join('/', 'nonexistent') })
  await Promise.all([manager.ready('one'), manager.alive()])
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/ENOENT.*systemd-notify failed/)
})

test('the watchdog gets no sign while the store does not answer', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const alive = vi.fn(async () => {})
  const answers: ((error: Error) => void)[] = []
  const sweep = () => new Promise<number>((_resolve, reject) => answers.push(reject))
  const watchdog = startWatchdog({ sweep }, { present: true, alive }, { WATCHDOG_USEC: '2000000' })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(answers).toHaveLength(1)
  expect(alive).not.toHaveBeenCalled()
  // To refuse is to answer.
  answers[0]?.(new Error('the disk is full'))
  await vi.advanceTimersByTimeAsync(0)
  expect(alive).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(1000)
  expect(answers).toHaveLength(2)
  watchdog.stop()
})
