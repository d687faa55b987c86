/** Gathers what built daemons recorded of their replies, and fails the run if one differed from its declaration. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import type { RecordedReply } from '../../daemon/src/server/record.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The file that every daemon of the run appends to. */
    record: string
  }
}

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-record-'))
  const record = join(folder, 'replies')
  project.provide('record', record)
  return () => {
    const faults = readRecord(record).filter(({ fault }) => fault !== undefined)
    rmSync(folder, { recursive: true })
    if (faults.length > 0) {
      throw new Error(
        `replies differ from what their commands declare:\n${faults.map(describe).join('\n')}`,
      )
    }
  }
}

/** @returns what was recorded so far; nothing, if no daemon ran */
export function readRecord(path: string): RecordedReply[] {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): RecordedReply => JSON.parse(line))
}

function describe({ command, outcome, fault }: RecordedReply): string {
  return `${command} (${outcome}): ${fault}`
}
