/** The embedded OP as a process of its own, started by main.ts. */
import { serveParent } from './child.js'
import { startOp } from './op.js'

await serveParent(async () => {
  const { issuer, close } = await startOp({ show_hint: true })
  return { address: issuer, close }
})
