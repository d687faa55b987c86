/** Whether the TLS listeners' files are good, and for how long. */
import { readTlsFiles } from '../../server/tls_files.js'
import { StartError } from '../../start_error.js'
import { type Finding, fault, note, warning } from '../finding.js'
import { myself, obstacleFor } from '../person.js'
import type { World } from '../world.js'

export async function certificates({ config, now }: World): Promise<Finding[]> {
  return config.listeners.flatMap(({ name, tls }): Finding[] => {
    if (!tls) return []
    const about = `[listener ${name}]`
    if (obstacleFor(myself(), tls.key, 'read')) {
      const why = `this user may not read ${tls.key}, so that its certificate was not looked at`
      return [note(about, why, 'sudo relyd doctor')]
    }
    try {
      const { warnings } = readTlsFiles(name, tls, now)
      return warnings.map((one) => warning(about, one, 'renew it, then: systemctl restart relyd'))
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      const why = error.message.replace(`${about} `, '')
      return [
        fault(about, why, 'put good files there (docs/tls.md), then: systemctl restart relyd'),
      ]
    }
  })
}
