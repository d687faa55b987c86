/** Every client library of oxD, by the way it sends and reads. */
import type { Connect } from './client.js'
import { java } from './java.js'
import { node, node301 } from './node.js'
import { php } from './php.js'
import { python } from './python.js'
import { ruby } from './ruby.js'

export type { Connect, OxdClient } from './client.js'

export const oxdClients: [name: string, connect: Connect][] = [
  ['python', python],
  ['node 3.1.4', node],
  ['node 3.0.1', node301],
  ['php', php],
  ['ruby', ruby],
  ['java', java],
]
