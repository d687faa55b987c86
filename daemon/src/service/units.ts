/** The units and snippets that make relyd a service of systemd, rendered for the paths of a host. */
import { HEADER, type SocketOwner } from './header.js'

/** Of an administrator's own units, before those of packages. */
export const UNITS = '/etc/systemd/system'

export const FOLDER = '/etc/relyd'
export const CONFIG = `${FOLDER}/relyd.cfg`
export const KEY = `${FOLDER}/store.key`
export const STATE = '/var/lib/relyd'
/** Of root, who alone makes sockets in it; not a RuntimeDirectory=, see {@link relydSocket}. */
export const SOCKETS = '/run/relyd'

/** Absolute paths of what runs. */
export interface Programs {
  node: string
  /** relyd's program, or a link to it. */
  relyd: string
}

/** As distributions and `npm install --global --prefix /usr` have them. */
export const USUAL: Programs = { node: '/usr/bin/node', relyd: '/usr/bin/relyd' }

/** Their reasons stand in docs/operating/systemd.md, with those of what is absent. */
const HARDENING = `\
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
PrivateIPC=yes
RemoveIPC=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
SystemCallArchitectures=native
# @pkey: V8 guards the code that it has compiled.
SystemCallFilter=@system-service @pkey
SystemCallFilter=~@privileged @resources
# A call of a Node to come is refused, as by a kernel without it, instead of ending the daemon.
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute=: V8 compiles at run time and would abort. Not PrivateNetwork= and
# IPAddressDeny=any: OPs are called over the network.`

export function relydService({ node, relyd }: Programs): string {
  return `${HEADER}
[Unit]
Description=relyd, OpenID Connect for this host's websites
After=network-online.target
Wants=network-online.target
# A daemon that cannot start (a mistake in relyd.cfg) tries again until it can. Given up, it would
# take the sockets with it: systemd closes those of a unit that failed for good.
StartLimitIntervalSec=0

[Service]
Type=notify
# systemd-notify speaks for the daemon, as a child of it.
NotifyAccess=all
User=relyd
Group=relyd
ExecStart=${node} ${relyd} serve --config ${CONFIG}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1
WatchdogSec=60
# The first start of a new version may bring a large database up to date.
TimeoutStartSec=15min
# The daemon finishes its running commands (drain_timeout) and refreshes (twice op_timeout) first.
TimeoutStopSec=60
# SIGTERM is for the daemon alone, not for what it is saying to systemd.
KillMode=mixed
StateDirectory=relyd
StateDirectoryMode=0700
UMask=0077
# The keys of the database, which the daemon can then neither lose nor change.
LoadCredential=store.key:${KEY}
# A core would hold every key, secret and token.
LimitCORE=0

${HARDENING}

[Install]
WantedBy=multi-user.target
Also=relyd.socket
`
}

/** The socket of [listener site]: for the members of the group relyd. */
export function relydSocket(): string {
  return `${HEADER}
# systemd holds the socket while relyd.service stops, starts and crashes: who connects then waits.
# The service has no RuntimeDirectory=: systemd would remove it, sockets and all, when the service
# stops, and would give everything in it to the service's user when it starts.
${socketUnit({ listener: 'site', description: 'Socket of relyd', owner: ['SocketGroup=relyd', 'SocketMode=0660'] })}`
}

/** The socket of a listener that one website alone may use. */
export function siteSocket({ listener, user, group }: SocketOwner): string {
  const owner = [
    `SocketUser=${user}`,
    ...(group === undefined ? ['SocketMode=0600'] : [`SocketGroup=${group}`, 'SocketMode=0660']),
  ]
  return `${HEADER}
# For the user ${user}${group === undefined ? '' : ` and the group ${group}`} alone. relyd.cfg needs, with a realm that no other website is in:
#   [listener ${listener}]
#   address = unix:${pathOf(listener)}
#   realm = ${listener}
${socketUnit({ listener, description: `Socket of relyd for ${listener}`, owner })}`
}

/** Where a site's socket is. */
export function pathOf(listener: string): string {
  return `${SOCKETS}/${listener === 'site' ? 'relyd' : listener}.sock`
}

export function unitOf(listener: string): string {
  return listener === 'site' ? 'relyd.socket' : `relyd-${listener}.socket`
}

export function sysusers(): string {
  return `${HEADER}
# Websites whose users are members of the group may connect to ${pathOf('site')}.
u relyd - "relyd, OpenID Connect for websites" ${STATE}
`
}

export function tmpfiles(): string {
  return `${HEADER}
d ${SOCKETS} 0755 root root -
z ${KEY} 0600 root root -
`
}

function socketUnit(unit: { listener: string; description: string; owner: string[] }): string {
  const { listener, description, owner } = unit
  return `[Unit]
Description=${description}

[Socket]
ListenStream=${pathOf(listener)}
# Which [listener NAME] of relyd.cfg it is.
FileDescriptorName=${listener}
Service=relyd.service
${owner.join('\n')}
DirectoryMode=0755

[Install]
WantedBy=sockets.target relyd.service
`
}
