/** Which programs a unit may run: found by links that last, and not for others to change. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Image } from '../../../test/support/image.js'
import { HostFiles } from './host_files.js'
import { findPrograms } from './programs.js'
import { type Programs, USUAL } from './units.js'

let image: Image

beforeEach(() => {
  image = new Image()
})

afterEach(() => image[Symbol.dispose]())

function programs(wanted: Partial<Programs> = {}): Programs {
  return findPrograms(new HostFiles(image.root, false), wanted)
}

test('finds what an image has, by the links that an upgrade leaves', () => {
  expect(programs()).toEqual(USUAL)
  image.put('/usr/local/lib/node_modules/relyd/dist/main.js', '')
  mkdirSync(image.at('/usr/local/bin'), { recursive: true })
  symlinkSync('../lib/node_modules/relyd/dist/main.js', image.at('/usr/local/bin/relyd'))
  expect(programs()).toEqual({ node: '/usr/bin/node', relyd: '/usr/local/bin/relyd' })
})

test('refuses an image without relyd', () => {
  rmSync(image.at('/usr/bin/relyd'))
  expect(() => programs()).toThrow(/there is no relyd in the image/)
})

test.each<[what: string, path: string, message: RegExp, prepare?: () => void]>([
  ['a node below /home', '/home/me/bin/node', /ProtectHome= hides \/home/],
  ['a node below /tmp', '/tmp/node', /PrivateTmp= hides \/tmp/],
  ['a path with a space', '/opt/my node', /must be absolute, of letters/],
  ['a path with a specifier', '/opt/%h/node', /must be absolute, of letters/],
  ['a relative path', 'bin/node', /must be absolute/],
  ['none', '/opt/none', /there is no such file/],
  [
    'a link into /root',
    '/usr/local/bin/node',
    /ProtectHome= hides \/root/,
    () => {
      image.put('/root/node', '', 0o755)
      mkdirSync(image.at('/usr/local/bin'), { recursive: true })
      symlinkSync('/root/node', image.at('/usr/local/bin/node'))
    },
  ],
  [
    'a folder that everybody may write to',
    '/opt/open/bin/node',
    /everybody may write to \/opt\/open,/,
    () => {
      image.put('/opt/open/bin/node', '', 0o755)
      spawnSync('chmod', ['777', image.at('/opt/open')])
    },
  ],
  [
    'a file that everybody may write to',
    '/opt/node',
    /everybody may write to \/opt\/node/,
    () => image.put('/opt/node', '', 0o777),
  ],
  [
    'a file that only root may read',
    '/opt/node',
    /the user relyd may not read \/opt\/node/,
    () => image.put('/opt/node', '', 0o700),
  ],
])('refuses %s', (_what, path, message, prepare) => {
  prepare?.()
  expect(() => programs({ node: path })).toThrow(message)
})
