/** What an operator's configuration comes to in a realm's dealings with OPs. */
import type { Config } from './config/config.js'
import type { RealmPolicy } from './context.js'
import { hostsOf } from './op/op_host.js'
import type { OpLimits } from './op/op_side.js'

/** What a realm's dealings with OPs depend on, beside its policy. */
export type OpConfig = Pick<Config, 'daemon' | 'ops'>

export function limitsOf(
  { allowed_op_hosts }: Pick<RealmPolicy, 'allowed_op_hosts'>,
  { daemon: options, ops }: OpConfig,
): OpLimits {
  const { default_op } = options
  return {
    timeout: options.op_timeout,
    insecure_hosts: options.insecure_op_hosts ?? [],
    allowed_hosts: [...allowed_op_hosts, ...(default_op === undefined ? [] : hostsOf(default_op))],
    proxy: options.proxy,
    refresh_after: options.op_refresh,
    clock_tolerance: options.clock_tolerance,
    ops,
  }
}
