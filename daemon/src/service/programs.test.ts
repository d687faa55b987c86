/** Which programs a unit may run: found by links that last, and not for others to change. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Image } from '../../../test/support/image.js'
import { isRoot } from '../../../test/support/required.js'
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
  [
    'a folder of links on the way that everybody may write to',
    '/usr/local/bin/node',
    /everybody may write to \/opt\/links,/,
    () => {
      mkdirSync(image.at('/usr/local/bin'), { recursive: true })
      mkdirSync(image.at('/opt/links'), { recursive: true })
      symlinkSync('/opt/links/node', image.at('/usr/local/bin/node'))
      symlinkSync('/usr/bin/node', image.at('/opt/links/node'))
      chmodSync(image.at('/opt/links'), 0o777)
    },
  ],
])('refuses %s', (_what, path, message, prepare) => {
  prepare?.()
  expect(() => programs({ node: path })).toThrow(message)
})

describe.runIf(isRoot())('in an image with several owners', () => {
  const STAFF = 50

  beforeEach(() => image.put('/opt/node/bin/node', '', 0o755))

  test.each<[what: string, message: RegExp, prepare: () => void]>([
    [
      'a file of another user',
      /\/opt\/node\/bin\/node is not root's but of the user 1000/,
      () => chownSync(image.at('/opt/node/bin/node'), 1000, 0),
    ],
    [
      'a folder of another user on the way',
      /\/opt\/node is not root's but of the user 1000/,
      () => chownSync(image.at('/opt/node'), 1000, 0),
    ],
    [
      'a folder that a group may write to',
      /the group 1000 may write to \/opt\/node\/bin,/,
      () => openTo(1000, '/opt/node/bin'),
    ],
    [
      'a folder that the group 50 may write to, where that is another than staff',
      /the group 50 may write to \/opt\/node,/,
      () => {
        image.put('/etc/group', 'root:x:0:\nftp:x:50:\nstaff:x:1000:\n')
        openTo(STAFF, '/opt/node')
      },
    ],
  ])('refuses %s', (_, message, prepare) => {
    prepare()
    expect(() => programs({ node: '/opt/node/bin/node' })).toThrow(message)
  })

  test("takes what root's group and Debian's staff may write to", () => {
    image.put('/etc/group', 'root:x:0:\nstaff:x:50:\n')
    openTo(STAFF, '/opt/node')
    openTo(0, '/opt/node/bin')
    expect(programs({ node: '/opt/node/bin/node' }).node).toBe('/opt/node/bin/node')
  })

  test('takes what is of whoever builds the image, and what is of root', () => {
    chownSync(image.root, 1000, 1001)
    chownSync(image.at('/opt/node'), 1000, 1001)
    openTo(1001, '/opt/node/bin')
    expect(programs({ node: '/opt/node/bin/node' }).node).toBe('/opt/node/bin/node')
  })

  function openTo(gid: number, path: string): void {
    chownSync(image.at(path), statSync(image.at(path)).uid, gid)
    chmodSync(image.at(path), 0o775)
  }
})
