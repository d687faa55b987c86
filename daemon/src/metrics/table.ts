/** Every metric of relyd's own: the registry and docs/metrics.md are made from this table. */

interface Told {
  /** What it says, for `# HELP` and the documentation. */
  help: string
  labels: readonly string[]
}

export type MetricSpec =
  | (Told & { type: 'counter' | 'gauge' })
  /** Upper bounds in seconds. */
  | (Told & { type: 'histogram'; buckets: readonly number[] })

/** From what memory answers to what an OP makes wait for. */
const COMMAND_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]
const OP_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const COMMIT_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5,
]

export const metrics = {
  relyd_build_info: {
    type: 'gauge',
    help: 'Always 1; its labels say what runs.',
    labels: ['version', 'node'],
  },

  // What sites ask.
  relyd_commands_total: {
    type: 'counter',
    help: 'Commands that were answered: outcome is ok or the code of the error. A command that does not exist counts as unknown, and those of the operator as realm admin.',
    labels: ['command', 'realm', 'outcome'],
  },
  relyd_command_duration_seconds: {
    type: 'histogram',
    help: 'Time from the turn of a command to its answer, OP calls and commits included. Those of the operator begin with admin/.',
    labels: ['command'],
    buckets: COMMAND_SECONDS,
  },
  relyd_frames_refused_total: {
    type: 'counter',
    help: 'Errors answered to what was no command to be run: broken frames, connections beyond the limit, requests while the daemon stops.',
    labels: ['realm', 'outcome'],
  },
  relyd_quota_refusals_total: {
    type: 'counter',
    help: 'Commands and connections refused by a limit, by the option of relyd.cfg that sets it.',
    labels: ['realm', 'option'],
  },
  relyd_requests_in_flight: {
    type: 'gauge',
    help: 'Commands that run at this moment.',
    labels: ['realm'],
  },
  relyd_frames_waiting: {
    type: 'gauge',
    help: "Requests that wait for their site's turn. Many for long: somebody floods.",
    labels: [],
  },
  relyd_connections: {
    type: 'gauge',
    help: 'Connections that are open at this moment.',
    labels: ['listener'],
  },
  relyd_connections_total: {
    type: 'counter',
    help: 'Connections that were accepted, those refused for the limit included.',
    labels: ['listener'],
  },
  relyd_subscribers: {
    type: 'gauge',
    help: 'Connections that wait for events.',
    labels: [],
  },
  relyd_events_total: {
    type: 'counter',
    help: 'Events told to connections that subscribed.',
    labels: ['event'],
  },

  // What relyd asks of OPs.
  relyd_op_calls_total: {
    type: 'counter',
    help: 'Requests to OPs: outcome is ok, refused (a 4xx status), quota_exceeded (never sent, as too many of the site were under way) or the code of the error. op is the host; the first of each realm have names, all others are other.',
    labels: ['op', 'outcome'],
  },
  relyd_op_call_duration_seconds: {
    type: 'histogram',
    help: 'Time that an OP took to answer a request, or to fail.',
    labels: ['op'],
    buckets: OP_SECONDS,
  },
  relyd_op_documents_age_seconds: {
    type: 'gauge',
    help: "Age of an OP's metadata and keys in memory, of the oldest where several share a label. Beyond op_refresh: they could not be fetched, and the last copy serves on.",
    labels: ['op'],
  },
  relyd_refreshes_total: {
    type: 'counter',
    help: "Refreshes of sessions' tokens: outcome is ok, known (another had just done it) or the code of the error.",
    labels: ['outcome'],
  },
  relyd_registration_renewals_total: {
    type: 'counter',
    help: 'Renewals of registrations whose client secret expires: outcome is updated (the OP gave a new secret), registered (relyd registered anew, with another client_id) or the code of the error.',
    labels: ['outcome'],
  },

  // The store.
  relyd_store_commits_total: {
    type: 'counter',
    help: 'Commits, each of all writes of a turn of the event loop: outcome is ok or failed.',
    labels: ['outcome'],
  },
  relyd_store_writes_total: {
    type: 'counter',
    help: 'Writes that were committed.',
    labels: [],
  },
  relyd_store_commit_duration_seconds: {
    type: 'histogram',
    help: 'Time of a commit, its writes and the sync to the disk; nothing else runs meanwhile.',
    labels: [],
    buckets: COMMIT_SECONDS,
  },
  relyd_store_writes_waiting: {
    type: 'gauge',
    help: 'Writes that wait for the next commit.',
    labels: [],
  },
  relyd_store_bytes: {
    type: 'gauge',
    help: "What of the database counts against the realm's store_megabytes.",
    labels: ['realm'],
  },
  relyd_sites: {
    type: 'gauge',
    help: 'Sites of the realm.',
    labels: ['realm'],
  },
  relyd_sessions: {
    type: 'gauge',
    help: 'Sessions of the realm; those that have expired in the last second or so are among them.',
    labels: ['realm'],
  },
  relyd_pending_logins: {
    type: 'gauge',
    help: 'Logins that were started and have neither come back nor expired.',
    labels: ['realm'],
  },
  relyd_swept_rows_total: {
    type: 'counter',
    help: 'Expired rows that were deleted.',
    labels: [],
  },
  relyd_sweep_failures_total: {
    type: 'counter',
    help: 'Times that expired rows could not be deleted; the log says why.',
    labels: [],
  },
  relyd_keys: {
    type: 'gauge',
    help: 'Encryption keys that the daemon holds. More than one for long: a key waits to be retired.',
    labels: [],
  },
  relyd_key_age_seconds: {
    type: 'gauge',
    help: 'Time since the key that encrypts now began to.',
    labels: [],
  },
} as const satisfies Record<string, MetricSpec>

type Metrics = typeof metrics

export type MetricName = keyof Metrics

/** Metrics of the given types. */
export type NameOf<T extends MetricSpec['type']> = {
  [N in MetricName]: Metrics[N]['type'] extends T ? N : never
}[MetricName]

/** A value for each label, in the table's order. */
export type LabelValues<N extends MetricName> = [...Values<Metrics[N]['labels']>]

type Values<L extends readonly string[]> = { -readonly [I in keyof L]: string }
