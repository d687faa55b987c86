/** `relyd sessions`: who is logged in, and ending it. */
import { type Command, InvalidArgumentError } from 'commander'
import type { list_sessions } from '../admin/commands/list_sessions.js'
import type { Values } from '../command.js'
import { askDaemon } from './admin_client.js'
import { withExamples } from './examples.js'
import { CliError, exitCodes } from './exit_codes.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { counted, dateOf, say, sayJson, sayTable } from './output.js'
import { given } from './site_options.js'

type Session = Values<(typeof list_sessions)['result']>['sessions'][number]

interface FilterOptions extends ConfigOption, JsonOption {
  site?: string
  realm?: string
  issuer?: string
  sub?: string
}

interface ListOptions extends FilterOptions {
  limit: number
}

interface EndOptions extends FilterOptions {
  revoke?: true
}

export function addSessions(program: Command): void {
  const sessions = program.command('sessions').description('the logins that relyd holds: list, end')
  withExamples(
    withFilter(sessions.command('list'))
      .description('list sessions, the newest first; neither tokens nor session ids')
      .option('--limit <number>', 'at most so many', number, 100),
    ['relyd sessions list --site shop', 'who is logged in at a site'],
  ).action(listSessions)
  withExamples(
    withFilter(sessions.command('end'))
      .description('end one session, or those of an End-User, a site or an OP')
      .argument('[session]', 'its session_ref, as `relyd sessions list` and the log name it')
      .option('--revoke', 'have the OP forget the tokens too, as far as it does')
      .addHelpText('after', `\n${REMARK}`),
    ['relyd sessions end e9e72c6f6a1b04f98d0c1e5a7b3f29d4c86e0a17', 'one of the list'],
    [
      'relyd sessions end --sub alice --issuer https://op.example --revoke',
      'whatever an End-User has, and the tokens at the OP',
    ],
    ['relyd sessions end --site shop', 'all of a site'],
    [
      'relyd sessions end --issuer https://login.microsoftonline.com/TENANT/v2.0',
      'all of an OP, or of one tenant there',
    ],
  ).action(endSessions)
}

const REMARK =
  'End-Users stay logged in at their OP. Whoever logs in meanwhile keeps the new session.'

function withFilter(command: Command): Command {
  return withJson(withConfig(command))
    .option('--site <site>', 'of this site: its name, or the beginning of its oxd_id')
    .option('--realm <realm>', 'of this realm')
    .option('--issuer <url>', 'of this OP')
    .option('--sub <sub>', 'of this End-User, as the OP names him')
}

async function listSessions(options: ListOptions): Promise<void> {
  const { config, json, limit } = options
  const found: Session[] = []
  let after: string | undefined
  do {
    const filter = filterOf(options)
    const page = await askDaemon(config, 'list_sessions', { ...filter, ...(after && { after }) })
    found.push(...page.sessions)
    after = page.next
  } while (after !== undefined && found.length < limit)
  const more = found.length > limit || after !== undefined
  const sessions = found.slice(0, limit)
  if (json) return sayJson({ sessions, more })
  const rows = sessions.map(({ session_ref, name, oxd_id, sub, created_at, expires_at }) => [
    session_ref,
    name ?? oxd_id.slice(0, 8),
    sub,
    dateOf(created_at),
    dateOf(expires_at),
  ])
  sayTable([['SESSION', 'SITE', 'END-USER', 'SINCE', 'UNTIL'], ...rows])
  if (!more) return
  say()
  say(`There may be more: --limit ${limit * 10}`)
}

async function endSessions(session: string | undefined, options: EndOptions): Promise<void> {
  const { config, json, revoke, site, issuer, sub } = options
  if ([session, site, issuer, sub].every((one) => one === undefined)) {
    throw new CliError(exitCodes.usage, 'say which: a session, --site, --issuer or --sub')
  }
  const filter = { ...filterOf(options), ...given({ session_ref: session }) }
  let ended = 0
  let tokens_revoked = 0
  let after: string | undefined
  do {
    const page = await askDaemon(config, 'end_sessions', {
      ...filter,
      ...(revoke && { revoke_tokens: true }),
      ...(after && { after }),
    })
    ended += page.ended
    tokens_revoked += page.tokens_revoked
    after = session !== undefined && ended > 0 ? undefined : page.next
  } while (after !== undefined)
  if (session !== undefined && ended === 0) {
    throw new CliError(
      exitCodes.failed,
      `there is no session ${session} (any more); those that there are: relyd sessions list`,
    )
  }
  if (json) return sayJson({ ended, tokens_revoked })
  say(`Ended ${counted(ended, 'session')}.`)
  if (revoke) say(`The OP forgot the tokens of ${tokens_revoked} of them.`)
}

function filterOf({ site, realm, issuer, sub }: FilterOptions) {
  return given({ site, realm, issuer, sub })
}

function number(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a whole number above 0.')
}
