#!/usr/bin/env node
/** The demo: starts an OP, relyd and a website that logs in through them, and stops them together. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeDaemonConfig, writeSiteConfig } from './config_files.js'
import { isTaken, listenOnLocalhost } from './localhost.js'
import { type DemoOptions, help, OptionError, readOptions } from './options.js'
import { printable, printableError } from './printable.js'
import { ChildError, ProcessTree } from './process_tree.js'
import { users } from './users.js'

const default_port = 8400

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) console.log(help)
  else await demo(options)
  process.exit(0)
} catch (error) {
  const expected = error instanceof OptionError || error instanceof ChildError
  console.error(expected ? printable(`demosite: ${error.message}`) : printableError(error))
  process.exit(1)
}

/** Runs until a signal comes; throws when something cannot start, or dies. */
async function demo(options: DemoOptions): Promise<void> {
  const tree = new ProcessTree()
  const stopped = stopSignal(() => tree.kill())
  const folder = await mkdtemp(join(tmpdir(), 'relyd-demo-'))
  try {
    const started = start(options, tree, folder).then(console.log)
    await Promise.race([stopped, tree.failure, started.then(() => stopped)])
  } finally {
    await tree.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Starts everything, and tells what to show. */
async function start(options: DemoOptions, tree: ProcessTree, folder: string): Promise<string> {
  const port = await choosePort(options)
  const [op] = await Promise.all([
    options.op?.href ?? tree.runScript('the OP', 'op_main.js'),
    writeDaemonConfig(folder, options.op).then((config) => tree.runRelyd(config)),
  ])
  const origin = `http://localhost:${port}`
  const config = await writeSiteConfig(folder, options, { op, origin })
  // A real OP's pages may lie on several hosts, of which its issuer's is only one.
  const form_action = op.startsWith('https:') ? 'https:' : new URL(op).origin
  const args = ['--config', config, '--port', String(port), '--form-action', form_action]
  const website = await tree.runScript('the website', 'website_main.js', args)
  return banner(options, website, port)
}

/** Another port will do, unless somebody counts on this one: the user, or a registration at an OP. */
async function choosePort({ port, op }: DemoOptions): Promise<number> {
  try {
    return await probe(port ?? default_port)
  } catch (error) {
    if (!isTaken(error)) throw new OptionError(`--port ${port}: ${(error as Error).message}`)
    if (port === undefined && op === undefined) return probe(0)
    throw new OptionError(
      `port ${port ?? default_port} is used by another program; stop it, or choose another with --port`,
    )
  }
}

async function probe(port: number): Promise<number> {
  const server = await listenOnLocalhost(port)
  await server.close()
  return server.port
}

function banner({ op, port: wanted }: DemoOptions, website: string, port: number): string {
  const lines = ['', 'The relyd demo is running.', '', `  Open      ${website}`]
  if (op) {
    lines.push(
      '',
      `  If your OP (${op.href}) wants to know this website beforehand, enter there:`,
      `    redirect address      ${website}/callback`,
      `    post-logout address   ${website}/logged-out`,
    )
  } else {
    const people = users.map(({ name, password }) => `${name} / ${password}`)
    lines.push(`  Log in    ${people.join('   or   ')}`)
  }
  if (wanted === undefined && port !== default_port) {
    lines.push('', `  (Port ${default_port} is used by another program, so this one was chosen.)`)
  }
  return [...lines, '', 'Ctrl-C stops everything.', ''].join('\n')
}

/** Resolves at the first signal to stop; calls `again` at further ones. */
function stopSignal(again: () => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (asked) again()
        asked = true
        resolve()
      })
    }
  })
}
