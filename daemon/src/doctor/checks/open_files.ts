/** Whether the daemon may open as many files as its options promise connections. */
import { readFile } from 'node:fs/promises'
import { type Finding, warning } from '../finding.js'
import type { World } from '../world.js'

/** The database, the log, name servers and what Node has for itself. */
const OTHERS = 100

export async function openFiles({ config, daemon }: World): Promise<Finding[]> {
  const running = await daemon
  if (running.state !== 'answers') return []
  const limits = await readFile(`/proc/${running.status.pid}/limits`, 'utf8').catch(() => '')
  const [, limit] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
  if (limit === undefined) return []
  const connections = [...config.listeners, config.admin_listener].map((one) => one.connections)
  const calls = [...config.realms.values()].map(({ quotas }) => quotas.op_calls.realm)
  const needed = [...connections, ...calls].reduce((sum, one) => sum + one, OTHERS)
  if (Number(limit) >= needed) return []
  const why = `the daemon may open ${limit} files, and its options connections and op_calls together want ${needed}`
  const cure = `systemctl edit relyd, [Service], LimitNOFILE=${needed}; or lower these options`
  return [warning('relyd', why, cure)]
}
