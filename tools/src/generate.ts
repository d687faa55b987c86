/** Writes everything that is derived from the commands, errors and options; with --check, compares it. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sampleConfig } from '../../daemon/dist/config/sample.js'
import {
  relydService,
  relydSocket,
  siteSocket,
  sysusers,
  tmpfiles,
  USUAL,
} from '../../daemon/dist/service/units.js'
import { adminPage } from './admin_page.js'
import { cliPage } from './cli_page.js'
import { configurationPage } from './configuration_page.js'
import { faultsOf } from './conformance/shown.js'
import { testNames } from './conformance/test_names.js'
import { conformancePage } from './conformance_page.js'
import { errorsPage } from './errors_page.js'
import { jsonSchema } from './json_schema.js'
import { methodsModule } from './methods_module.js'
import { metricsPage } from './metrics_page.js'
import { oxdPage } from './oxd_page.js'
import { protocolPage } from './protocol_page.js'

const root = new URL('../../', import.meta.url)

const intro = readFileSync(new URL('tools/protocol_intro.md', root), 'utf8')

const test_names = testNames(fileURLToPath(root))

const files: Record<string, string> = {
  'sdk/src/methods.ts': formatted('methods.ts', methodsModule()),
  'docs/protocol.md': protocolPage(intro),
  'docs/admin-protocol.md': adminPage(),
  'docs/oxd-commands.md': oxdPage(),
  'docs/errors.md': errorsPage(),
  'docs/configuration.md': configurationPage(),
  'docs/cli.md': cliPage(),
  'docs/conformance.md': conformancePage(test_names),
  'docs/metrics.md': await metricsPage(),
  'docs/protocol.schema.json': formatted('schema.json', JSON.stringify(jsonSchema())),
  'daemon/relyd.cfg': sampleConfig(),
  'systemd/relyd.service': relydService(USUAL),
  'systemd/relyd.socket': relydSocket(),
  'systemd/sysusers.conf': sysusers(),
  'systemd/tmpfiles.conf': tmpfiles(),
  // A host with several websites that must not speak for one another.
  'systemd/example/relyd-shop.socket': siteSocket({ listener: 'shop', user: 'www-shop' }),
  'systemd/example/relyd-blog.socket': siteSocket({
    listener: 'blog',
    user: 'www-blog',
    group: 'blog',
  }),
}

if (process.argv.includes('--check')) {
  const stale = Object.entries(files).filter(([path, text]) => read(path) !== text)
  if (stale.length > 0) {
    console.error(`not as generated: ${stale.map(([path]) => path).join(', ')}; npm run generate`)
    process.exit(1)
  }
} else {
  for (const [path, text] of Object.entries(files)) writeFileSync(new URL(path, root), text)
}

const faults = faultsOf(test_names)
if (faults.length > 0) {
  console.error(`docs/conformance.md:\n  ${faults.join('\n  ')}`)
  process.exit(1)
}

function read(path: string): string | undefined {
  const url = new URL(path, root)
  return existsSync(url) ? readFileSync(url, 'utf8') : undefined
}

/** As the linter wants it, so that generated files are held to the same rules. */
function formatted(name: string, text: string): string {
  const biome = fileURLToPath(new URL('node_modules/.bin/biome', root))
  return execFileSync(biome, ['format', `--stdin-file-path=${name}`], {
    input: text,
    encoding: 'utf8',
    cwd: fileURLToPath(root),
  })
}
