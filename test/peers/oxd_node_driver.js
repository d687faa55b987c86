/** Drives oxd-node, from a folder where it is installed, as its parent process tells it: one message a call, one an answer. */
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [, , folder] = process.argv
const oxdNode = createRequire(join(folder, 'website.js'))('oxd-node')

process.on('message', ({ id, config, method, params }) => {
  oxdNode(config)[method](params, (error, response) =>
    process.send({ id, error: error && String(error), response }),
  )
})
process.on('disconnect', () => process.exit())
