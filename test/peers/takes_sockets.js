/** The beginning of `relyd serve`, for what ends there: much quicker than a whole daemon. */
import { loadConfig } from '../../daemon/dist/config/load.js'
import { takePassedSockets } from '../../daemon/dist/server/activation.js'

try {
  takePassedSockets(loadConfig(process.argv[4]).listeners)
  console.error('all sockets were taken')
} catch (error) {
  console.error(error.message)
  process.exit(error.name === 'StartError' ? 1 : 2)
}
