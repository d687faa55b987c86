/** What the operator made unsafe, perhaps for a day, and forgot. */
import type { Option } from '../../config/option.js'
import { daemonOptions, realmOptions } from '../../config/options.js'
import { type Finding, warning } from '../finding.js'
import type { World } from '../world.js'

export async function unsafe({ config }: World): Promise<Finding[]> {
  const { unsafe: why_not } = realmOptions.front_channel_access_tokens
  const open = [...config.realms.values()].filter((realm) => realm.front_channel_access_tokens)
  const of_realms = open.map(({ name }) =>
    warning(
      `[realm ${name}]`,
      `front_channel_access_tokens = yes: ${why_not}`,
      `take front_channel_access_tokens out of ${config.path}`,
    ),
  )
  const of_daemon = Object.entries(daemonOptions as Record<string, Option>).flatMap(
    ([name, option]) => {
      const value = (config.daemon as Record<string, unknown>)[name]
      if (option.unsafe === undefined || value === undefined || String(value) === '') return []
      const why = `${name} = ${[value].flat().join(', ')}: ${option.unsafe}`
      return [warning('[daemon]', why, `take ${name} out of ${config.path}`)]
    },
  )
  return [...of_daemon, ...of_realms]
}
