/** Every option of relyd.cfg: the loader reads it, the shipped sample and the documentation are made from it. */
import {
  address,
  mode,
  name,
  type Options,
  oneOf,
  opHosts,
  proxy,
  text,
  wholeNumber,
} from './option.js'

const DAY = 24 * 60 * 60

export const daemonOptions = {
  state_directory: {
    doc: 'Where the daemon keeps what must survive it. Relative paths below start here.',
    default: '/var/lib/relyd',
    read: text,
  },
  database: {
    doc: 'The SQLite file with sites, logins and sessions. Secrets in it are encrypted.',
    default: 'store/relyd.db',
    read: text,
  },
  key_file: {
    doc: 'The keys for those secrets, made at the first start. Back it up apart from the database; without it the database is lost.',
    default: 'keys/store.key',
    read: text,
  },
  log_level: {
    doc: 'One line a command at info; warn for troubles only.',
    default: 'info',
    read: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  },
  default_op: {
    doc: 'The OP of sites that name none in op_host. Whatever its address, it may be called.',
    example: 'https://op.example.com',
    read: text,
  },
  login_lifetime: {
    doc: "Seconds that an End-User has at the OP's pages.",
    default: '600',
    read: wholeNumber(30, DAY),
  },
  session_lifetime: {
    doc: 'Seconds from a login until its session ends.',
    default: '28800',
    read: wholeNumber(60, 365 * DAY),
  },
  op_timeout: {
    doc: 'Seconds that an OP has to answer one request.',
    default: '10',
    read: wholeNumber(1, 60),
  },
  op_refresh: {
    doc: "Seconds after which an OP's metadata and keys are fetched anew in the background. While the OP is down, the last copy serves on.",
    default: '3600',
    read: wholeNumber(10, 30 * DAY),
  },
  drain_timeout: {
    doc: 'Seconds that running commands have to finish when the daemon is told to stop.',
    default: '10',
    read: wholeNumber(0, 600),
  },
  insecure_op_hosts: {
    doc: 'Hosts of OPs that may be called over plain http, and at any address, separated by commas.',
    example: '127.0.0.1',
    unsafe: 'Tokens and secrets travel in the clear. For test OPs only.',
    read: opHosts,
  },
  proxy: {
    doc: 'An HTTP proxy that takes every call to an OP (by CONNECT). The daemon sees no addresses behind it, and calls only hosts that it was told: default_op, allowed_op_hosts, insecure_op_hosts. HTTP_PROXY and the like are not looked at.',
    example: 'http://proxy.example.com:3128',
    read: proxy,
  },
} as const satisfies Options

export const listenerOptions = {
  address: {
    doc: 'unix:/path/of/socket, or tcp:127.0.0.1:port (loopback only).',
    example: 'unix:/run/relyd/relyd.sock',
    required: true,
    read: address,
  },
  mode: {
    doc: "Who may connect to a Unix socket, by its permissions. The websites' users belong to its group.",
    default: '0660',
    read: mode,
  },
  realm: {
    doc: 'The realm that this listener serves. A site is known in the realm it was registered in, and in no other.',
    default: 'default',
    read: name,
  },
} as const satisfies Options

export const realmOptions = {
  allowed_op_hosts: {
    doc: 'Hosts of OPs that sites of the realm may name although their addresses are not public ones (or are behind a proxy), separated by commas: op.example.com for all of its ports, op.example.com:8443 for one. OPs at public addresses need not be listed.',
    example: 'op.example.com, [fd00::1]:8443',
    read: opHosts,
  },
  tokens: {
    doc: '`daemon` keeps access, refresh and ID tokens from all sites of the realm.',
    default: 'site',
    read: oneOf('site', 'daemon'),
  },
} as const satisfies Options

/** The kinds of sections, in the order in which the sample shows them. */
export const sections = {
  daemon: {
    named: false,
    doc: 'The daemon itself.',
    options: daemonOptions,
  },
  listener: {
    named: true,
    doc: 'A socket that websites connect to. Any number of sections [listener NAME].',
    options: listenerOptions,
  },
  realm: {
    named: true,
    doc: 'The policy of a realm. A realm without a section has the defaults.',
    options: realmOptions,
  },
} as const satisfies Record<string, { named: boolean; doc: string; options: Options }>
