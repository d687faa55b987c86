/** Whether systemd has the units of this version, starts them, and passes the sockets that relyd.cfg has. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ListenerConfig } from '../../config/config.js'
import { isOurs } from '../../service/header.js'
import { type InstalledUnits, type SocketUnit, settingOf } from '../../service/installed_units.js'
import { isBooted } from '../../service/systemctl.js'
import { relydService } from '../../service/units.js'
import { type Finding, fault, note, warning } from '../finding.js'
import type { World } from '../world.js'

const run = promisify(execFile)

const INSTALL = 'sudo relyd service install; systemctl restart relyd'

export async function unit({ units, config, signal }: World): Promise<Finding[]> {
  const is_host = units.root === '/'
  // Another init system, or a container.
  if (is_host && !isBooted()) return []
  if (!units.service) {
    const why = 'there is no unit: nobody starts relyd with the host'
    return [note('relyd.service', why, 'sudo relyd service install')]
  }
  return [
    ...ofService(units.service, units.root),
    ...ofSockets(units, config.listeners),
    ...(is_host ? await ofSystemd(signal) : []),
  ]
}

function ofService(
  { path, text }: NonNullable<InstalledUnits['service']>,
  root: string,
): Finding[] {
  const [node = '', relyd = ''] = (settingOf(text, 'ExecStart') ?? '').split(/\s+/)
  for (const program of [node, relyd]) {
    if (!program.startsWith('/') || existsSync(join(root, program))) continue
    return [fault(path, `it runs ${program}, which is not there (any more)`, INSTALL)]
  }
  // What an operator wrote is the operator's.
  if (!isOurs(text) || text === relydService({ node, relyd })) return []
  const why =
    'it is not as this version of relyd lays it down: of another version, or changed by hand'
  return [warning(path, why, `${INSTALL} (your changes go into drop-ins: systemctl edit relyd)`)]
}

function ofSockets({ sockets }: InstalledUnits, listeners: readonly ListenerConfig[]): Finding[] {
  return [...sockets].flatMap(([name, socket]) => {
    const listener = listeners.find((one) => one.name === name)
    return listener ? ofAddress(socket, listener) : [withoutListener(name, socket)]
  })
}

function withoutListener(name: string, { unit, address = '' }: SocketUnit): Finding {
  const why = `relyd.cfg has no [listener ${name}], and relyd does not start with a socket that no listener wants`
  const cure = `add [listener ${name}] with address = unix:${address} to relyd.cfg, or: systemctl disable --now ${unit}`
  return fault(unit, why, cure)
}

function ofAddress(
  { unit, address }: SocketUnit,
  { name, address: wanted }: ListenerConfig,
): Finding[] {
  if (wanted.kind !== 'unix' || address === wanted.path) return []
  const why = `it listens on ${address}, and [listener ${name}] of relyd.cfg is at ${wanted.path}: relyd does not start with it`
  return [
    fault(unit, why, `make ListenStream= and address the same, then: systemctl daemon-reload`),
  ]
}

async function ofSystemd(signal: AbortSignal): Promise<Finding[]> {
  const asked = ['ActiveState', 'UnitFileState', 'NeedDaemonReload', 'Result']
  const show = ['show', 'relyd.service', ...asked.map((name) => `--property=${name}`)]
  const answer = await run('systemctl', show, { signal, timeout: 5000 }).catch(() => undefined)
  const said = (name: string) => settingOf(answer?.stdout ?? '', name)
  const found: Finding[] = []
  if (said('ActiveState') === 'failed') {
    const why = `it has failed (${said('Result')}), and systemd does not try again`
    found.push(
      fault('relyd.service', why, 'journalctl -u relyd -n 50; then: systemctl restart relyd'),
    )
  }
  if (said('NeedDaemonReload') === 'yes') {
    found.push(
      warning(
        'relyd.service',
        'its file was changed, and systemd has the old one',
        'systemctl daemon-reload',
      ),
    )
  }
  if (said('UnitFileState') === 'disabled') {
    found.push(
      warning('relyd.service', 'it is not started with the host', 'systemctl enable relyd.service'),
    )
  }
  return found
}
