/** What the operator made unsafe, perhaps for a day, and forgot. */
import type { Option } from '../../config/option.js'
import { daemonOptions } from '../../config/options.js'
import { type Finding, warning } from '../finding.js'
import type { World } from '../world.js'

export async function unsafe({ config }: World): Promise<Finding[]> {
  return Object.entries(daemonOptions as Record<string, Option>).flatMap(([name, option]) => {
    const value = (config.daemon as Record<string, unknown>)[name]
    if (option.unsafe === undefined || value === undefined || String(value) === '') return []
    const why = `${name} = ${[value].flat().join(', ')}: ${option.unsafe}`
    return [warning('[daemon]', why, `take ${name} out of ${config.path}`)]
  })
}
