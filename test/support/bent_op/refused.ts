/** A command that must be refused and bring nothing. */
import { expect } from 'vitest'
import { TestDaemon } from '../daemon.js'
import type { Reply, Wire } from '../wire.js'
import type { BentOp } from './op.js'
import type { Bends, Calls, Members } from './types.js'

/** What a refused command is expected to come to. */
export interface RefusedCommand {
  /** What the error says, among others. */
  refused: Members
  /** What its OP is asked; unless said otherwise, nothing. */
  calls?: Calls
  /** How its OP is bent meanwhile. */
  bends?: Bends
}

/**
 * Sends a command that is refused: the OP is asked this much, no site and no session is made, and
 * nothing secret is in the reply.
 */
export async function refusesCommand(
  wire: Wire,
  op: BentOp,
  [command, params]: readonly [command: string, params: object],
  { refused, calls = {}, bends }: RefusedCommand,
): Promise<Reply['data']> {
  const daemon = TestDaemon.behind(wire)
  const before = await daemon.stored()
  const start = op.asked.length
  if (bends) op.bend(bends)
  const { status, data } = await wire.call(command, params)
  op.straighten()
  expect({ status, data }).toMatchObject({ status: 'error', data: refused })
  expect(op.calls(start)).toEqual(calls)
  expect(await daemon.stored()).toEqual(before)
  for (const secret of op.secrets) expect(JSON.stringify(data)).not.toContain(secret)
  return data
}
