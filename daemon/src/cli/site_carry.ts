/** `relyd sites export` and `import`: sites carried to another host, without their secrets. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { import_sites } from '../admin/commands/import_sites.js'
import type { DescribedSite } from '../admin/site_result.js'
import type { Values } from '../command.js'
import { askDaemon } from './admin_client.js'
import { allSites } from './all_sites.js'
import { withExamples } from './examples.js'
import { CliError, exitCodes } from './exit_codes.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { complain, counted, say, sayJson, sayTable } from './output.js'
import { readSecretInput } from './secret_input.js'
import { collect } from './site_options.js'

type Entry = Values<(typeof import_sites)['params']>['sites'][number]

/** What the file says of itself. */
const FORMAT = 1

interface CarryOptions extends ConfigOption {
  realm?: string
}

interface ImportOptions extends ConfigOption, JsonOption {
  secret?: string[]
  dryRun?: true
}

export function addSiteCarry(sites: Command): void {
  withExamples(
    withConfig(sites.command('export'))
      .description('write the sites that were added here, as JSON for import elsewhere; no secrets')
      .argument('[file]', 'a new file; standard output unless given')
      .option('--realm <realm>', 'only those of this realm'),
    ['relyd sites export sites.json', 'on the old host'],
  ).action(exportSites)
  withExamples(
    withJson(withConfig(sites.command('import')))
      .description('add the sites of an export: all of them, or none')
      .argument('<file>', 'what `relyd sites export` wrote; - for standard input')
      .option(
        '--secret <name=file>',
        "a site's client secret or private key, from a file; REALM/NAME=FILE where two realms have the name; may be repeated",
        collect,
      )
      .option('--dry-run', 'check everything, add nothing')
      .addHelpText('after', REMARK),
    [
      'relyd sites import sites.json --secret shop=shop_secret.txt --secret blog=blog_key.pem',
      'on the new host',
    ],
  ).action(importSites)
}

const REMARK = `
An export holds no secret. Give each site's again, from where you keep it; or move the whole
store with its keys: relyd backup, relyd restore.`

async function exportSites(file: string | undefined, options: CarryOptions): Promise<void> {
  const { config, realm } = options
  const sites: { oxd_id: string }[] = []
  let after: string | undefined
  do {
    const page = await askDaemon(config, 'export_sites', {
      ...(realm !== undefined && { realm }),
      ...(after !== undefined && { after }),
    })
    sites.push(...page.sites)
    after = page.next
  } while (after !== undefined)
  const carried = new Set(sites.map(({ oxd_id }) => oxd_id))
  const left_out = (await allSites(config, realm)).filter(({ oxd_id }) => !carried.has(oxd_id))
  const exported = { relyd_sites: FORMAT, sites }
  if (file === undefined) sayJson(exported)
  else writeNew(file, `${JSON.stringify(exported, null, 2)}\n`)
  complain(`relyd: ${counted(sites.length, 'site')}, without their secrets`)
  const telling: [who: string, sites: DescribedSite[]][] = [
    [
      'relyd registered, or that registered themselves, and do so anew',
      left_out.filter(isRegistered),
    ],
    ['are too long to carry', left_out.filter((site) => !isRegistered(site))],
  ]
  for (const [who, some] of telling) {
    if (some.length === 0) continue
    const names = some.map(({ name, oxd_id }) => name ?? oxd_id.slice(0, 8)).join(', ')
    complain(`relyd: left out ${counted(some.length, 'site')} that ${who}: ${names}`)
  }
}

function isRegistered({ name, registered_by }: DescribedSite): boolean {
  return registered_by === 'relyd' || name === undefined
}

/** On TCP an oxd_id is a secret of the site, so that the file is its writer's alone. */
function writeNew(path: string, text: string): void {
  try {
    const file = openSync(path, 'wx', 0o600)
    try {
      writeFileSync(file, text)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CliError(
      exitCodes.failed,
      code === 'EEXIST' ? `${path} is there already; name a new file` : message,
    )
  }
}

async function importSites(file: string, options: ImportOptions): Promise<void> {
  const { config, json, dryRun } = options
  const entries = readEntries(file)
  const sites = withSecrets(entries, options.secret ?? [])
  const result = await askDaemon(config, 'import_sites', {
    sites,
    ...(dryRun && { dry_run: dryRun }),
  })
  for (const { name, realm, login_binding } of result.sites) {
    if (login_binding !== 'none') continue
    // Somebody may have written it into the file meanwhile.
    complain(
      `relyd: WARNING: ${name} of the realm ${realm} has login_binding = none: open to login CSRF`,
    )
  }
  if (json) return sayJson({ ...result, dry_run: dryRun ?? false })
  const rows = result.sites.map(({ name, realm, oxd_id, outcome }) => [
    name,
    realm,
    oxd_id,
    dryRun && outcome === 'added' ? 'would add' : outcome,
  ])
  sayTable([['NAME', 'REALM', 'ID', 'OUTCOME'], ...rows])
  if (!dryRun) return
  say()
  say('Nothing was added: this was a dry run.')
}

function readEntries(file: string): Entry[] {
  const wrong = (why: string) =>
    new CliError(exitCodes.failed, `${file} ${why}; give what \`relyd sites export\` wrote`)
  let read: { relyd_sites?: unknown; sites?: unknown } | null
  try {
    read = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong('is not JSON')
    throw wrong(`cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if (typeof read !== 'object' || read === null || !Array.isArray(read.sites)) {
    throw wrong('holds no sites')
  }
  if (read.relyd_sites !== FORMAT) throw wrong('is not of a kind that this relyd knows')
  const stray = read.sites.findIndex((one) => typeof one !== 'object' || one === null)
  if (stray !== -1) throw wrong(`has something else than a site in the place ${stray + 1}`)
  // Held against its declaration by the daemon.
  return read.sites as Entry[]
}

function withSecrets(entries: Entry[], given: string[]): Entry[] {
  const files = new Map<string, string>()
  for (const pair of given) {
    const at = pair.indexOf('=')
    if (at < 1) throw new CliError(exitCodes.usage, '--secret must be NAME=FILE')
    files.set(pair.slice(0, at), pair.slice(at + 1))
  }
  const unused = new Set(files.keys())
  const missing: string[] = []
  const sites = entries.map((entry): Entry => {
    const { name, realm, auth_method } = entry
    const key = files.has(`${realm}/${name}`) ? `${realm}/${name}` : name
    const file = files.get(key)
    unused.delete(key)
    // What needs no secret, or has one that the platform of each host brings.
    if (auth_method === 'none' || auth_method === 'assertion_file') return entry
    if (file === undefined) {
      if (entry.client_secret === undefined && entry.private_key === undefined) {
        missing.push(`${realm}/${name}`)
      }
      return entry
    }
    const secret = readSecretInput(`--secret ${key}`, file)
    const kind = /^client_secret_/.test(auth_method) ? 'client_secret' : 'private_key'
    return { ...entry, [kind]: secret }
  })
  if (unused.size > 0) {
    throw new CliError(exitCodes.usage, `--secret: no site is named ${[...unused].join(', ')}`)
  }
  if (missing.length === 0) return sites
  throw new CliError(
    exitCodes.usage,
    `an export holds no secrets; give those of ${missing.join(', ')}, each with --secret NAME=FILE`,
  )
}
