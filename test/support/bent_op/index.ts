/** An OP whose every answer a test can bend, with a site to log in at it. */
export * from './answers.js'
export * as hostile from './hostile.js'
export * from './jwe.js'
export * from './jws.js'
export { BentOp } from './op.js'
export { type RefusedCommand, refusesCommand } from './refused.js'
export * from './site.js'
export * from './types.js'
