/** A daemon whose realm serves oxd clients. */
import { type DaemonOptions, TestDaemon } from '../daemon.js'

/** @param realm further options of the realm */
export function startOxdDaemon(
  { sections = '', ...options }: DaemonOptions = {},
  generation: '3.1' | '3.0' | '2.4' = '3.1',
  realm = '',
): Promise<TestDaemon> {
  return TestDaemon.start({
    ...options,
    sections: `[realm default]\noxd_clients = ${generation}\nregistrations_per_minute = 100000\nsites = 1000000\n${realm}\n${sections}`,
  })
}
