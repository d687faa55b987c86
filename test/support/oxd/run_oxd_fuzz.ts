/** Sends fuzzed streams to a daemon, and sees that each frame is answered as it should, in its order. */
import fc from 'fast-check'
import { exchange } from '../peer.js'
import { Random } from '../random.js'
import { cutAnywhere, fuzzedStream, oxdRepliesIn } from './oxd_fuzz.js'

/** Frames of one connection. */
const FRAMES = 200

const seed = fc.readConfigureGlobal().seed as number

/**
 * @param where the path of the daemon's socket
 * @throws Error that tells the seed and the connection
 */
export async function runOxdFuzz(where: string, connections: number, oxd_id: string) {
  for (let connection = 0; connection < connections; connection += 1) {
    const random = new Random(seed, connection)
    const { frames, last } = fuzzedStream(random, FRAMES, oxd_id)
    const bytes = Buffer.concat([...frames.map((frame) => frame.bytes), last])
    const replies = oxdRepliesIn(await exchange(where, cutAnywhere(bytes, random)))
    frames.forEach(({ bytes, answer }, i) => {
      const { status, data } = replies[i] ?? {}
      if (answer === (status === 'ok' ? 'ok' : data?.error)) return
      const told = JSON.stringify(replies[i])
      throw new Error(
        `FC_SEED=${seed}, connection ${connection}, frame ${i}, ${bytes}: ${told} and not ${answer}`,
      )
    })
  }
}
