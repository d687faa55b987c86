/** A host as `relyd service install` makes it: the unit brings the keys, and every command finds them where they are. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { relyd } from '../support/cli.js'
import { Image } from '../support/image.js'
import { canMount } from '../support/required.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))

/** In a mount namespace of its own: the image's /etc, and no more than a new host has beside. */
const HOST = `set -e
mount --bind "$3/etc" /etc
for folder in /run /var/lib /var/backups; do mount -t tmpfs -o mode=755 none $folder; done
relyd() { echo "> $*"; "$node" "$main" "$@" 2>&1 || echo "ended with $?"; }
node=$1 main=$2
relyd key add
mkfifo /run/log
# As the unit has it.
CREDENTIALS_DIRECTORY=/etc/relyd "$node" "$main" serve > /run/log & daemon=$!
exec 3< /run/log
while read -r line <&3; do case "$line" in *'"msg":"ready"'*) break ;; esac; done
relyd key list
relyd check-config
relyd key add
relyd backup /etc/relyd/beside.db
relyd backup /var/backups/one.db
relyd restore --check /var/backups/one.db
kill "$daemon"; wait "$daemon"
relyd restore /var/backups/one.db
mv /etc/relyd/store.key /etc/relyd/elsewhere.key
relyd restore --check /var/backups/one.db
relyd key list
relyd backup /var/backups/two.db
relyd backup --key-file /etc/relyd/elsewhere.key /etc/relyd/beside.db
relyd restore --check --key-file /etc/relyd/elsewhere.key /var/backups/one.db
`

test.skipIf(!canMount())(
  'backup, restore, key and check-config find the keys of the unit',
  async () => {
    using image = new Image()
    await relyd(['service', 'install', '--root', image.root])
    const args = ['-rm', 'sh', '-c', HOST, 'sh', process.execPath, PROGRAM, image.root]
    const { stdout } = await promisify(execFile)('unshare', args, {
      env: { PATH: process.env['PATH'] },
    })
    const said = new Map<string, string>()
    for (const part of stdout.split(/^> /m).slice(1)) {
      const [command = '', ...lines] = part.split('\n')
      said.set(`${said.has(command) ? 'later: ' : ''}${command}`, lines.join('\n'))
    }
    expect(said.get('key add')).toMatch(/^Made \/etc\/relyd\/store\.key with the key \w{8}\./)
    expect(said.get('key list')).toMatch(/^key file \/etc\/relyd\/store\.key$/m)
    expect(said.get('key list')).toMatch(/^\w{8} +encrypts /m)
    expect(said.get('later: key add')).toMatch(/^Added .* systemctl restart relyd\. From then on/ms)
    expect(said.get('check-config')).toMatch(/^key file \/etc\/relyd\/store\.key$/m)
    expect(said.get('check-config')).toMatch(/is good$/m)
    expect(said.get('backup /etc/relyd/beside.db')).toMatch(
      /The key file \/etc\/relyd\/store\.key lies in the folder of \/etc\/relyd\/beside\.db.*\nended with 1/,
    )
    expect(said.get('backup /var/backups/one.db')).toMatch(
      /open with the key \w{8}(, \w{8})? of \/etc\/relyd\/store\.key,/,
    )
    expect(said.get('restore --check /var/backups/one.db')).toContain(
      'is whole, and opens with the',
    )
    expect(said.get('restore /var/backups/one.db')).toMatch(/^Restored \/var\/lib\/relyd\/store\//)
    // The keys are gone from where they were.
    expect(said.get('later: restore --check /var/backups/one.db')).toMatch(
      /there is no key file \/etc\/relyd\/store\.key; restore the key file .* or name the right one \(--key-file,/,
    )
    expect(said.get('later: key list')).toMatch(/^\w{8} +missing /m)
    expect(said.get('backup /var/backups/two.db')).toMatch(
      /open with the key \w{8}(, \w{8})?, whose file .* \(--key-file\),/,
    )
    expect(said.get('backup --key-file /etc/relyd/elsewhere.key /etc/relyd/beside.db')).toMatch(
      /ended with 1/,
    )
    expect(
      said.get('restore --check --key-file /etc/relyd/elsewhere.key /var/backups/one.db'),
    ).toContain('is whole')
    expect(stdout).not.toContain('/var/lib/relyd/keys')
  },
)
