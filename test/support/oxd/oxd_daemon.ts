/** A daemon whose realm serves oxd clients. */
import { type DaemonOptions, TestDaemon } from '../daemon.js'

type Generation = '3.1' | '3.0' | '2.4'

/** A realm of its own and, on a port of loopback, its listener. @param options further ones of the realm */
export function realmAt(name: string, generation: Generation, options = ''): string {
  return `[realm ${name}]
oxd_clients = ${generation}
registrations_per_minute = 100000
${options}
[listener ${name}]
address = tcp:127.0.0.1:0
realm = ${name}
`
}

/** @param realm further options of the realm */
export function startOxdDaemon(
  { sections = '', ...options }: DaemonOptions = {},
  generation: Generation = '3.1',
  realm = '',
): Promise<TestDaemon> {
  return TestDaemon.start({
    ...options,
    sections: `[realm default]\noxd_clients = ${generation}\nregistrations_per_minute = 100000\nsites = 1000000\n${realm}\n${sections}`,
  })
}
