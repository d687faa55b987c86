/** Writes everything that is derived from the commands, errors and options of the daemon. */
import { readFileSync, writeFileSync } from 'node:fs'
import { sampleConfig } from '../../daemon/dist/config/sample.js'
import { errorsPage } from './errors_page.js'
import { jsonSchema } from './json_schema.js'
import { methodsModule } from './methods_module.js'
import { protocolPage } from './protocol_page.js'

const root = new URL('../../', import.meta.url)

const intro = readFileSync(new URL('tools/protocol_intro.md', root), 'utf8')

const files: Record<string, string> = {
  'sdk/src/methods.ts': methodsModule(),
  'docs/protocol.md': protocolPage(intro),
  'docs/errors.md': errorsPage(),
  'docs/protocol.schema.json': `${JSON.stringify(jsonSchema(), null, 2)}\n`,
  'daemon/relyd.cfg': sampleConfig(),
}

for (const [path, text] of Object.entries(files)) writeFileSync(new URL(path, root), text)
