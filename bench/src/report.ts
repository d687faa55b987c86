/** The run in plain text: a table, and what its figures mean. */
import { cpus } from 'node:os'
import type { Isolation } from './isolation.js'
import { ROUND_SECONDS, ROUNDS, type Row } from './run.js'

const columns: { title: string; width: number; cell(row: Row): string }[] = [
  { title: 'line', width: 5, cell: ({ line }) => line },
  { title: 'in flight', width: 9, cell: ({ in_flight }) => String(in_flight) },
  { title: 'relyd /s', width: 9, cell: ({ sides }) => whole(sides.relyd.rate) },
  { title: 'oc /s', width: 9, cell: ({ sides }) => whole(sides['openid-client'].rate) },
  { title: 'ratio', width: 7, cell: ({ ratio }) => `${ratio.rate.toPrecision(3)}x` },
  { title: 'relyd us', width: 9, cell: ({ sides }) => micro(sides.relyd.cpu) },
  {
    title: '(daemon + client)',
    width: 17,
    cell: ({ sides: { relyd } }) => `(${micro(relyd.cpu_daemon)} + ${micro(relyd.cpu_client)})`,
  },
  { title: 'oc us', width: 7, cell: ({ sides }) => micro(sides['openid-client'].cpu) },
  { title: 'ratio', width: 7, cell: ({ ratio }) => `${ratio.cpu.toPrecision(3)}x` },
]

export function heading(): string {
  return `relyd beside openid-client (oc), Node ${process.version}, ${cpus().length} CPUs
operations a second, and CPU microseconds an operation (user + system)

${line(columns.map(({ title }) => title))}`
}

export function tableRow(row: Row): string {
  return line(columns.map(({ cell }) => cell(row)))
}

export function notes(folder: string): string {
  return `
Medians of ${ROUNDS} rounds of ${ROUND_SECONDS} s, the sides in turn. A ratio is relyd / oc, median over pairs of rounds:
above 1 relyd has the higher rate; below 1 it uses less CPU. Databases in ${folder}.
Each side's website is a process; relyd's is asked by the SDK over one connection to a Unix socket.

url    relyd: get_authorization_url: state, nonce, PKCE, binding and cookie; secrets encrypted,
       and stored in SQLite (WAL, synchronous=FULL), a commit for all writes of a turn.
       oc: random state, nonce and verifier, calculatePKCECodeChallenge, buildAuthorizationUrl;
       stored in plain in SQLite (better-sqlite3, WAL, synchronous=FULL), a commit each.
login  relyd: url, then get_tokens_by_callback: login taken, code redeemed, ID Token's signature
       verified, session stored with its tokens encrypted. oc: url, login taken,
       authorizationCodeGrant with enableNonRepudiationChecks and Node's fetch, session stored;
       three commits. A local OP (RS256, client_secret_basic) in a process of its own serves both;
       its CPU is not counted, but it shares the machine.
ping   relyd: the command ping. oc: openid-client has no such thing; a function call in the
       process instead, its request and reply passed through the same msgpack codec: what a
       command costs without socket and daemon.`
}

export function isolationReport({ alone, flooded, ratio, logins, flood }: Isolation): string {
  const replies = Object.entries(flood).map(([outcome, count]) => `${outcome} ${whole(count)}`)
  return `
isolation: milliseconds of a login by relyd, one at a time, alone and while another site of the realm floods
p50  alone ${alone.p50.toFixed(1)}  flooded ${flooded.p50.toFixed(1)}  ratio ${ratio.p50.toFixed(2)}x
p99  alone ${alone.p99.toFixed(1)}  flooded ${flooded.p99.toFixed(1)}  ratio ${ratio.p99.toFixed(2)}x
${whole(logins)} logins while flooded, none lost. The flood's replies: ${replies.join(', ')}.`
}

function line(cells: string[]): string {
  return cells
    .map((text, index) => {
      const { width } = columns[index] as (typeof columns)[number]
      return index === 0 ? text.padEnd(width) : text.padStart(width)
    })
    .join('  ')
}

function whole(rate: number): string {
  return Math.round(rate).toLocaleString('en')
}

function micro(us: number): string {
  return us < 10 ? us.toFixed(1) : whole(us)
}
