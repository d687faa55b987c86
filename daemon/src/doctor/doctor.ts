/** Looks an installation over: every check beside the others, each for as long as it may take. */
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { keyFileOf } from '../cli/key_place.js'
import { systemClock } from '../clock.js'
import type { Config } from '../config/config.js'
import { loadWholeConfig } from '../config/load.js'
import { describeFault } from '../faults.js'
import { installedUnits } from '../service/installed_units.js'
import { StartError } from '../start_error.js'
import { runningDaemon } from './ask_daemon.js'
import { assertions } from './checks/assertions.js'
import { certificates } from './checks/certificates.js'
import { daemon } from './checks/daemon.js'
import { disk } from './checks/disk.js'
import { fileModes } from './checks/file_modes.js'
import { keys } from './checks/keys.js'
import { listeners } from './checks/listeners.js'
import { openFiles } from './checks/open_files.js'
import { ops } from './checks/ops.js'
import { reach } from './checks/reach.js'
import { sites } from './checks/sites.js'
import { store } from './checks/store.js'
import { unit } from './checks/unit.js'
import { unsafe } from './checks/unsafe.js'
import { type Finding, fault, type Severity, warning } from './finding.js'
import { type Person, personOf } from './person.js'
import { viewStore } from './store_view.js'
import type { Check, World } from './world.js'

/** Every check, by the name that the report has for it. */
const checks: Record<string, Check> = {
  daemon,
  file_modes: fileModes,
  keys,
  store,
  disk,
  listeners,
  reach,
  certificates,
  ops,
  sites,
  assertions,
  unit,
  open_files: openFiles,
  unsafe,
}

export interface DoctorOptions {
  config: string
  /** Instead of the one that relyd.cfg or the unit names. */
  keyFile?: string
  user?: string[]
  op?: string[]
  root?: string
}

export interface Report {
  checks: { name: string; result: 'ok' | Severity }[]
  findings: (Finding & { check: string })[]
}

/** Milliseconds for all together; an OP that does not answer takes a few times op_timeout. */
const PATIENCE_MS = 60_000

export async function examine(options: DoctorOptions): Promise<Report> {
  let config: Config
  try {
    config = loadWholeConfig(options.config)
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    const cure = `correct it, then: relyd check-config --config ${options.config}`
    return reportOf([['configuration', [fault('relyd.cfg', error.message, cure)]]])
  }
  const end = new AbortController()
  const timer = setTimeout(() => end.abort(), PATIENCE_MS)
  try {
    const world = worldOf(config, options, end.signal)
    const late = once(end.signal, 'abort')
    const results = await Promise.all(
      Object.entries(checks).map(
        async ([name, check]): Promise<[string, Finding[]]> => [
          name,
          await inTime(name, check(world), late),
        ],
      ),
    )
    return reportOf([['configuration', []], ...results])
  } finally {
    clearTimeout(timer)
    end.abort()
  }
}

function worldOf(config: Config, options: DoctorOptions, signal: AbortSignal): World {
  const units = installedUnits(resolve(options.root ?? '/'))
  const { database, admin_socket, state_directory } = config.daemon
  const key_file = keyFileOf(config, options.keyFile, units)
  const running = runningDaemon(admin_socket)
  return {
    config,
    key_file,
    now: systemClock(),
    daemon: running,
    store: viewStore(database, key_file, signal),
    daemon_user: running.then((one) =>
      userOf(one.state === 'answers' ? `/proc/${one.status.pid}` : state_directory),
    ),
    users: options.user ?? [],
    ops: options.op ?? [],
    units,
    signal,
  }
}

async function userOf(path: string): Promise<Person | undefined> {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats && personOf(stats.uid)
}

async function inTime(
  name: string,
  looking: Promise<Finding[]>,
  late: Promise<unknown>,
): Promise<Finding[]> {
  const why = `it took longer than ${PATIENCE_MS / 1000} seconds, and was given up`
  try {
    return await Promise.race([looking, late.then(() => [warning(name, why, LATER)])])
  } catch (error) {
    // One that fails is a fault of ours, and must not hide what the others found.
    const [first] = describeFault(error).stack.split('\n')
    return [warning(name, `the check failed: ${first}`, REPORT)]
  }
}

const LATER = 'run it again when host and OPs have less to do'
const REPORT = 'nothing on this host: it is a mistake in relyd; report it with this line'

const RANK: Record<'ok' | Severity, number> = { ok: 0, note: 1, warning: 2, fault: 3 }

/** The worst first. */
function reportOf(results: [name: string, findings: Finding[]][]): Report {
  return {
    checks: results.map(([name, findings]) => ({
      name,
      result: findings.reduce<'ok' | Severity>(
        (worst, { severity }) => (RANK[severity] > RANK[worst] ? severity : worst),
        'ok',
      ),
    })),
    findings: results
      .flatMap(([check, findings]) => findings.map((one) => ({ check, ...one })))
      .sort((one, other) => RANK[other.severity] - RANK[one.severity]),
  }
}
