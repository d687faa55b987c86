import { integer, records, required, string, strings } from '../../command.js'
import { version } from '../../version.js'
import { adminCommand } from '../admin_command.js'

export const status = adminCommand({
  doc: 'What the daemon is, what it listens on, and what it holds.',
  spec: [],
  params: {},
  result: {
    version: required(string({ doc: 'Version of relyd.' })),
    node: required(string({ doc: 'Version of Node.' })),
    pid: required(integer({ doc: 'Its process.' })),
    started_at: required(integer({ doc: 'Since when it runs, in seconds since 1970.' })),
    config: required(string({ doc: 'Its configuration.' })),
    database: required(string({ doc: 'Its database.' })),
    schema: required(integer({ doc: "Version of the database's schema." })),
    key_id: required(string({ doc: 'The key that encrypts now.' })),
    listeners: required(
      records(
        { doc: 'What websites connect to.' },
        {
          name: required(string({ doc: 'Its section in relyd.cfg.' })),
          address: required(string({ doc: 'As it came to be.' })),
          realms: required(strings({ doc: 'Whom it serves.' })),
          connections: required(integer({ doc: 'Open now.' })),
        },
      ),
    ),
    realms: required(
      records(
        { doc: 'What each realm has stored.' },
        {
          name: required(string({ doc: 'The realm.' })),
          sites: required(integer({ doc: 'Its sites.' })),
          pending_logins: required(
            integer({
              doc: 'Logins that were started; those that have expired lately are among them.',
            }),
          ),
          sessions: required(
            integer({ doc: 'Its sessions; those that have expired lately are among them.' }),
          ),
          bytes: required(integer({ doc: 'What of the database counts against its quota.' })),
        },
      ),
    ),
  },
  errors: [],
  async run({ daemon, realms, store }) {
    const usage = new Map((await store.usageOfRealms()).map((one) => [one.realm, one]))
    return {
      version,
      node: process.version,
      pid: process.pid,
      started_at: daemon.started_at,
      config: daemon.config_path,
      database: daemon.options.database,
      schema: daemon.schema,
      key_id: daemon.key_id(),
      listeners: daemon.listeners(),
      // A realm that no listener serves any more may still have sites.
      realms: [...new Set([...realms.keys(), ...usage.keys()])].sort().map((name) => {
        const { sites = 0, logins = 0, sessions = 0, bytes = 0 } = usage.get(name) ?? {}
        return { name, sites, pending_logins: logins, sessions, bytes }
      }),
    }
  },
})
