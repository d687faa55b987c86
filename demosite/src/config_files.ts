/** The two configuration files of the demo, in its temporary folder. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DemoOptions } from './options.js'

/** Where everything of one run of the demo lies. */
export function pathsIn(folder: string) {
  return {
    daemon_config: join(folder, 'relyd.cfg'),
    site_config: join(folder, 'site.cfg'),
    state: join(folder, 'state'),
    socket: join(folder, 'relyd.sock'),
  }
}

/** @param op an OP instead of the demo's own; it is the operator's wish, so that any address will do */
export async function writeDaemonConfig(folder: string, op: URL | undefined): Promise<string> {
  const { daemon_config, state, socket } = pathsIn(folder)
  await write(daemon_config, {
    daemon: {
      state_directory: state,
      default_op: op?.href,
      insecure_op_hosts: op?.protocol === 'https:' ? undefined : (op?.hostname ?? '127.0.0.1'),
      drain_timeout: '2',
    },
    'listener site': { address: `unix:${socket}`, mode: '0600' },
  })
  return daemon_config
}

/** @param origin the website's address */
export async function writeSiteConfig(
  folder: string,
  options: DemoOptions,
  { op, origin }: { op: string; origin: string },
): Promise<string> {
  const { site_config, socket } = pathsIn(folder)
  await write(site_config, {
    oxd: { socket },
    client: {
      op_host: op,
      authorization_redirect_uri: `${origin}/callback`,
      post_logout_redirect_uri: `${origin}/logged-out`,
      // Access, refresh and ID tokens stay in relyd; the website asks for one when it calls an API.
      tokens: 'daemon',
      client_name: 'relyd demosite',
      scope: options.scope.join(','),
      client_id: options.client_id,
      client_secret: options.client_secret,
    },
  })
  return site_config
}

type Sections = Record<string, Record<string, string | undefined>>

async function write(path: string, sections: Sections): Promise<void> {
  const lines = Object.entries(sections).flatMap(([section, values]) => [
    `[${section}]`,
    ...Object.entries(values).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key} = ${value}`],
    ),
    '',
  ])
  await writeFile(path, lines.join('\n'), { mode: 0o600 })
}
