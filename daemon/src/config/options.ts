/** Every option of relyd.cfg: the loader reads it, the shipped sample and the documentation are made from it. */
import {
  authorizationParameters,
  claimsProviders,
  endpoint,
  issuer,
  opAddress,
  parameterName,
  tenants,
} from './op_option.js'
import {
  address,
  list,
  loopbackAddress,
  mode,
  name,
  type Options,
  oneOf,
  opHosts,
  oxdHttp,
  proxy,
  realmsByName,
  text,
  wholeNumber,
} from './option.js'

const DAY = 24 * 60 * 60

export const daemonOptions = {
  state_directory: {
    doc: 'Where the daemon keeps what must survive it. Relative paths of files below start here.',
    default: '/var/lib/relyd',
    read: text,
  },
  database: {
    doc: 'The SQLite file with sites, logins and sessions. Secrets in it are encrypted.',
    default: 'store/relyd.db',
    read: text,
  },
  key_file: {
    doc: 'The keys for those secrets, made at the first start, unless the unit brings them as the credential store.key. Back it up apart from the database; without it the database is lost. `relyd key` shows and changes them.',
    default: 'keys/store.key',
    read: text,
  },
  admin_socket: {
    doc: "The Unix socket of the operator's commands (`relyd status`, `relyd sites`), of mode 0600: the daemon's own user and root may do everything there.",
    default: 'admin.sock',
    read: text,
  },
  log_level: {
    doc: 'One line a command at info; warn for troubles only.',
    default: 'info',
    reload: true,
    read: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  },
  log_format: {
    doc: '`json`, a line for each event, as the journal and programs want it; `pretty` for people; `auto` is pretty on a terminal.',
    default: 'auto',
    read: oneOf('auto', 'json', 'pretty'),
  },
  metrics_address: {
    doc: 'A port of loopback for /metrics (Prometheus), /healthz and /readyz, which anybody on the host may ask. They are on admin_socket too, for who may open that.',
    example: 'tcp:127.0.0.1:9464',
    read: loopbackAddress,
  },
  default_op: {
    doc: 'The OP of sites that name none in op_host. Whatever its address, it may be called.',
    example: 'https://op.example.com',
    reload: true,
    read: text,
  },
  login_lifetime: {
    doc: "Seconds that an End-User has at the OP's pages.",
    default: '600',
    reload: true,
    read: wholeNumber(30, DAY),
  },
  client_key_lifetime: {
    doc: "Days after which a key that relyd made for a site is replaced by a new one, of which the OP is told first (an update of the registration, RFC 7592, or the site's jwks_uri); 0 for never. Where the OP can be told in neither way, keys stay until the site is registered anew.",
    default: '90',
    reload: true,
    read: wholeNumber(0, 3650),
  },
  session_lifetime: {
    doc: 'Seconds from a login until its session ends.',
    default: '28800',
    reload: true,
    read: wholeNumber(60, 365 * DAY),
  },
  op_timeout: {
    doc: 'Seconds that an OP has to answer one request.',
    default: '10',
    reload: true,
    read: wholeNumber(1, 60),
  },
  op_refresh: {
    doc: "Seconds after which an OP's metadata and keys are fetched anew in the background. While the OP is down, the last copy serves on.",
    default: '3600',
    reload: true,
    read: wholeNumber(10, 30 * DAY),
  },
  clock_tolerance: {
    doc: "Seconds by which an OP's clock and this host's may differ: for so long an ID Token is still good after its end, and already before its beginning.",
    default: '60',
    reload: true,
    read: wholeNumber(0, 900),
  },
  drain_timeout: {
    doc: 'Seconds that running commands have to finish when the daemon is told to stop. A refresh of tokens that an OP is being asked for is finished all the same (twice op_timeout at most): its answer may be the only copy of a refresh token.',
    default: '10',
    reload: true,
    read: wholeNumber(0, 600),
  },
  insecure_op_hosts: {
    doc: 'Hosts of OPs that may be called over plain http, and at any address, separated by commas.',
    example: '127.0.0.1',
    unsafe: 'Tokens and secrets travel in the clear. For test OPs only.',
    reload: true,
    read: opHosts,
  },
  proxy: {
    doc: 'An HTTP proxy that takes every call to an OP (by CONNECT). The daemon sees no addresses behind it, and calls only hosts that it was told: default_op, allowed_op_hosts, insecure_op_hosts. HTTP_PROXY and the like are not looked at.',
    example: 'http://proxy.example.com:3128',
    reload: true,
    read: proxy,
  },
} as const satisfies Options

/** What a TCP listener beyond loopback needs, and one on loopback may have; a Unix socket never. */
export const tlsOptions = {
  tls_certificate: {
    doc: "The listener's certificate, a PEM file, and behind it those that lead to its CA. With tls_key and tls_client_ca it makes a TCP listener one for TLS 1.3.",
    example: '/etc/relyd/tls/relyd.crt',
    read: text,
  },
  tls_key: {
    doc: "The certificate's private key, a PEM file of mode 0600.",
    example: '/etc/relyd/tls/relyd.key',
    read: text,
  },
  tls_client_ca: {
    doc: 'A PEM file of CAs. Who connects must have a certificate of one of them, made for client authentication; so let it be a CA of your own.',
    example: '/etc/relyd/tls/clients_ca.crt',
    read: text,
  },
  certificate_realms: {
    doc: "The realm of each client by its certificate's name, instead of one realm for all; other names are refused. A name is a whole DNS name of the subjectAltName, or the subject's CN in a certificate that has none.",
    example: 'shop.example.com=shop, blog.example.com=blog',
    read: realmsByName,
  },
} as const satisfies Options

export const listenerOptions = {
  address: {
    doc: 'unix:/path/of/socket, or tcp:127.0.0.1:port. TCP beyond loopback needs the options tls_* too.',
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
  connections: {
    doc: 'Connections at the same time. One more is told so and closed.',
    default: '1000',
    reload: true,
    read: wholeNumber(1, 100_000),
  },
  buffer_megabytes: {
    doc: 'Megabytes of requests that have not arrived whole and of replies that nobody has read, over all connections. Who would go beyond it is closed.',
    default: '128',
    reload: true,
    read: wholeNumber(8, 100_000),
  },
  frame_timeout: {
    doc: 'Seconds that a request may take from its first byte to its last, and that a reply may lie unread.',
    default: '30',
    reload: true,
    read: wholeNumber(1, 3600),
  },
  idle_timeout: {
    doc: 'Seconds after which a connection without a request is closed. The SDK connects again when it needs to.',
    default: '3600',
    reload: true,
    read: wholeNumber(1, 30 * DAY),
  },
  oxd_http: {
    doc: '`yes` answers oxd clients by HTTP too, as oxd-https-extension did (`POST /get-authorization-url`). It is for a Unix socket or a port of loopback: TLS is for a reverse proxy in front. Where that passes on the Host that its clients ask for, give those names instead of yes, separated by commas. Requests of browsers are refused.',
    default: 'no',
    unsafe:
      'A program on this host that posts JSON to whatever address others name (a webhook) can be made to post commands.',
    read: oxdHttp,
  },
  ...tlsOptions,
} as const satisfies Options

export const realmOptions = {
  allowed_op_hosts: {
    doc: 'Hosts of OPs that sites of the realm may name although their addresses are not public ones (or are behind a proxy), separated by commas: op.example.com for all of its ports, op.example.com:8443 for one. OPs at public addresses need not be listed.',
    example: 'op.example.com, [fd00::1]:8443',
    reload: true,
    read: opHosts,
  },
  webfinger: {
    doc: '`yes` lets sites find the OP of an End-User by what the End-User types in, such as an e-mail address (get_issuer). The daemon then asks whatever public host that names; which OPs a site trusts is for the site to say.',
    default: 'no',
    reload: true,
    read: oneOf('yes', 'no'),
  },
  tokens: {
    doc: '`daemon` keeps tokens from all sites of the realm; access tokens they get of get_access_token alone.',
    default: 'site',
    reload: true,
    read: oneOf('site', 'daemon'),
  },
  front_channel_access_tokens: {
    doc: '`yes` lets sites ask for response types with `token`: the OP then sends access tokens through the browser.',
    default: 'no',
    unsafe:
      'They leak from there (history, scripts, other sites), and whoever has one may use it. RFC 9700 2.1.2 advises against it.',
    reload: true,
    read: oneOf('yes', 'no'),
  },
  oxd_clients: {
    doc: 'The version of oxD that client libraries of the realm expect answers of: `3.1`, `3.0` or `2.4`; the oldest, where they differ. `no` serves none, but the SDK and other clients of relyd as always. With 3.0 and 2.4, claims whose names oxd-python cannot make attributes of are left out.',
    default: 'no',
    unsafe:
      'A callback may then complete a login that another browser started (login CSRF): these clients know nothing of a binding.',
    reload: true,
    read: oneOf('no', '3.1', '3.0', '2.4'),
  },
  protect_commands_with_access_token: {
    doc: '`yes` wants a protection_access_token with every command of oxd clients, but for the few that get one, and serves nobody else in the realm; connections that subscribed to events before a reload get them until they are closed. As the option of this name of oxD.',
    default: 'no',
    reload: true,
    read: oneOf('yes', 'no'),
  },
  sites: {
    doc: 'Sites that the realm may have. Where a limit is reached, commands that would go beyond it answer quota_exceeded, and what is there stays.',
    default: '1000',
    reload: true,
    read: wholeNumber(1, 1_000_000),
  },
  registrations_per_minute: {
    doc: 'New sites in a minute, with the registrations that sites change or read (update_site, get_site_registration) and those that the daemon makes anew as a secret expires. Asking again with the same idempotency_key is not counted.',
    default: '60',
    reload: true,
    read: wholeNumber(1, 100_000),
  },
  lookups_per_minute: {
    doc: 'Questions to OPs in a minute that are about no site: get_issuer, get_discovery and get_jwks of an OP that is not known, and of oxd clients get_client_token for a client that relyd has not set up or with a wrong secret, and register_site with a protection_access_token that relyd does not remember.',
    default: '60',
    reload: true,
    read: wholeNumber(1, 100_000),
  },
  pending_logins_per_site: {
    doc: 'Logins of one site that were started and have neither come back nor expired (login_lifetime).',
    default: '50000',
    reload: true,
    read: wholeNumber(1, 100_000_000),
  },
  pending_logins: {
    doc: "The same for all sites of the realm together. When this or another of the realm's limits is reached, each site may still use its equal share of it, so that none is kept out by another.",
    default: '200000',
    reload: true,
    read: wholeNumber(1, 100_000_000),
  },
  sessions_per_site: {
    doc: 'Sessions of one site that were neither ended nor have expired (session_lifetime).',
    default: '200000',
    reload: true,
    read: wholeNumber(1, 100_000_000),
  },
  sessions: {
    doc: 'The same for all sites of the realm together.',
    default: '1000000',
    reload: true,
    read: wholeNumber(1, 100_000_000),
  },
  store_megabytes_per_site: {
    doc: "Megabytes that one site's registration, logins and sessions take in the database.",
    default: '2048',
    reload: true,
    read: wholeNumber(1, 1_000_000),
  },
  store_megabytes: {
    doc: 'The same for all sites of the realm together, with the documents of their OPs.',
    default: '8192',
    reload: true,
    read: wholeNumber(1, 1_000_000),
  },
  requests_per_site: {
    doc: 'Commands of one site that run at the same time, over all of its connections.',
    default: '1024',
    reload: true,
    read: wholeNumber(1, 1_000_000),
  },
  requests: {
    doc: 'The same for all sites of the realm together.',
    default: '8192',
    reload: true,
    read: wholeNumber(1, 1_000_000),
  },
  op_calls_per_site: {
    doc: 'Calls to OPs that one site has under way at the same time. Further ones wait, for op_timeout at the longest.',
    default: '64',
    reload: true,
    read: wholeNumber(1, 100_000),
  },
  op_calls: {
    doc: 'The same for all sites of the realm together.',
    default: '512',
    reload: true,
    read: wholeNumber(1, 100_000),
  },
} as const satisfies Options

/** What an OP does differently from the specifications; nothing is excepted that is not named here. */
export const opOptions = {
  op_host: {
    doc: 'The OP, as sites name it in op_host, with a slash at its end or without.',
    example: 'https://op.example.com',
    required: true,
    reload: true,
    read: opAddress,
  },
  issuer: {
    doc: "The issuer that the OP's metadata and ID Tokens name, where that is not op_host. With {tenantid} in it, it stands for those of `tenants` (Entra ID for several tenants).",
    example: 'https://login.microsoftonline.com/{tenantid}/v2.0',
    reload: true,
    read: issuer,
  },
  tenants: {
    doc: 'Ids of the tenants whose users may log in, separated by commas: the claim tid of an ID Token must be one of them, and its issuer that of the same tenant.',
    example: '11111111-2222-3333-4444-555555555555',
    reload: true,
    read: tenants,
  },
  metadata_file: {
    doc: "A file with the OP's metadata as JSON (OIDC Discovery 3), for an OP that publishes none: the OP is not asked for it. Its keys are fetched from jwks_uri, or stand in the file as jwks. It is read again at a reload.",
    example: '/etc/relyd/op.json',
    reload: true,
    read: text,
  },
  authorization_parameters: {
    doc: 'Further parameters of every authorization request, NAME=VALUE separated by white space.',
    example: 'access_type=offline prompt=consent',
    reload: true,
    read: authorizationParameters,
  },
  response_mode: {
    doc: '`form_post` where the OP answers no other way (Apple, when it is asked for name or email): the browser comes back with a POST from another site. For sites with https only, as their login cookie must then be SameSite=None.',
    example: 'form_post',
    reload: true,
    read: oneOf('form_post'),
  },
  logout_endpoint: {
    doc: 'Where a browser is sent to log out, where metadata names no end_session_endpoint, or another one is wanted.',
    example: 'https://example.auth.eu-central-1.amazoncognito.com/logout',
    reload: true,
    read: endpoint,
  },
  logout_return_parameter: {
    doc: 'What logout_endpoint calls its post_logout_redirect_uri. It is then sent that and client_id alone: no state, and no ID Token.',
    example: 'logout_uri',
    reload: true,
    read: parameterName,
  },
  trusted_audiences: {
    doc: 'Audiences that ID Tokens may have beside the client, separated by commas. The claim azp must then say that they were issued to the client. Without this, an ID Token for anybody else too is refused.',
    example: 'https://api.example.com, 0123456789',
    reload: true,
    read: list,
  },
  userinfo_method: {
    doc: 'How UserInfo is asked for. The access token is in the Authorization header either way.',
    default: 'GET',
    reload: true,
    read: oneOf('GET', 'POST'),
  },
  claims_providers: {
    doc: 'Issuers, separated by commas, whose claims the OP may pass on (aggregated) or point to (distributed), each signed by its issuer. get_user_info answers them as `sourced_claims`. Without this, no such claim is used and nobody is asked.',
    example: 'https://claims.example.com',
    reload: true,
    read: claimsProviders,
  },
  client_assertion_audience: {
    doc: "`token_endpoint` where the OP wants the token endpoint's address as the audience of client assertions (Entra ID, Okta). By default it is the issuer alone, which no other OP can misuse.",
    default: 'issuer',
    reload: true,
    read: oneOf('issuer', 'token_endpoint'),
  },
  initial_access_token_file: {
    doc: 'A file of mode 0600 with the initial access token that the OP wants to see before it registers a site (RFC 7591 3), for sites that give none of their own. It is read each time. Whoever may register sites here may use it.',
    example: '/etc/relyd/op.token',
    reload: true,
    read: text,
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
  op: {
    named: true,
    doc: 'What is special about an OP, for the sites of all realms. Most OPs need no such section.',
    options: opOptions,
  },
} as const satisfies Record<string, { named: boolean; doc: string; options: Options }>
