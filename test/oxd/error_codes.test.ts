/** What oxd's clients are told of every code that relyd has, where they look at a few only. */
import { expect, test } from 'vitest'
import { type ErrorCode, errors } from '../../daemon/src/errors.js'
import { oxdCommands } from '../../daemon/src/oxd/commands/index.js'
import { oxdError } from '../../daemon/src/oxd/errors.js'
import type { OxdCommand } from '../../daemon/src/oxd/oxd_command.js'

const codes = Object.keys(errors) as ErrorCode[]

function told(error: ErrorCode, details: Record<string, unknown>, command: OxdCommand): unknown {
  const words = { error_description: 'why', request_id: 'r', retryable: false }
  return oxdError({ error, details, ...words }, '3.1', command)
}

test.each(codes)('trap 16: of %s, uma_rp_get_rpt makes a code that oxdpython notices', (code) => {
  for (const details of [{}, { field: 'oxd_id' }, { http_status: 500 }, { http_status: 401 }]) {
    expect(told(code, details, oxdCommands.uma_rp_get_rpt)).toMatchObject({
      error: 'internal_error',
      details: { ...details, ...(code !== 'internal_error' && { reason: code }) },
    })
  }
})
