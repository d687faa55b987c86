/**
 * Preloaded into a daemon under test: on SIGUSR2 it collects all garbage and then writes what is
 * left, in bytes, to the file that RELYD_TEST_MEMORY names.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const file = process.env['RELYD_TEST_MEMORY']

process.on('SIGUSR2', () => {
  // Twice: what a first one finalizes lets go of more, buffers above all.
  collect()
  setImmediate(report)
})

function report() {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  writeFileSync(`${file}.new`, String(heapUsed + external))
  renameSync(`${file}.new`, file)
}
