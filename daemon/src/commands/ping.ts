import { command, required, string } from '../command.js'
import { version } from '../version.js'

export const ping = command({
  doc: 'Answers at once: whether the daemon is there, and which version it is.',
  spec: [],
  retry: 'safe',
  params: {},
  result: {
    version: required(string({ doc: "The daemon's version." })),
  },
  errors: [],
  async run() {
    return { version }
  },
})
