/** The cfg of a site, written by root where the site's user decides what a path means. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isRoot } from '../../../test/support/required.js'
import { prepareCfg, writeCfg } from './site_cfg.js'

const UID = 1234
const GID = 1235
const OWNER = `${UID}:${GID}`

const site = {
  address: { socket: '/run/relyd/shop.sock' },
  oxd_id: 'id-of-shop',
  op_host: 'https://op.example',
  authorization_redirect_uri: 'https://shop.example/callback',
}

let folder: string
/** Of the site's user, as is what it holds. */
let conf: string
/** Where only root may do anything. */
let closed: string
let cfg: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-site-cfg-'))
  chmodSync(folder, 0o755)
  conf = join(folder, 'shop', 'conf')
  closed = join(folder, 'closed')
  cfg = join(conf, 'site.cfg')
  mkdirSync(conf, { recursive: true })
  mkdirSync(closed, { mode: 0o700 })
})
afterEach(() => rmSync(folder, { recursive: true }))

/** What the user of a site can do at any moment. */
function lead(to: string): void {
  renameSync(conf, `${conf}.old`)
  symlinkSync(to, conf)
}

describe.runIf(isRoot())('root', () => {
  beforeEach(() => {
    for (const path of [join(folder, 'shop'), conf]) chownSync(path, UID, UID)
  })

  test("writes into the site's folder what is the site's", () => {
    writeCfg(prepareCfg(cfg, OWNER), site)
    expect(statSync(cfg)).toMatchObject({ uid: UID, gid: GID, mode: 0o100640 })
    chmodSync(cfg, 0o604)
    writeCfg(prepareCfg(cfg, undefined), { ...site, oxd_id: 'another' })
    expect(statSync(cfg)).toMatchObject({ uid: UID, gid: GID, mode: 0o100604 })
    expect(readFileSync(cfg, 'utf8')).toContain('id = another')
    expect(readdirSync(conf)).toEqual(['site.cfg'])
  })

  test("gives a new one to the folder's owner, if nobody is named", () => {
    const prepared = prepareCfg(cfg, undefined)
    expect(prepared.unowned).toBe(false)
    writeCfg(prepared, site)
    expect(statSync(cfg)).toMatchObject({ uid: UID, mode: 0o100600 })
  })

  test('writes nothing where a link in place of the folder leads', () => {
    lead(closed)
    expect(() => writeCfg(prepareCfg(cfg, OWNER), site)).toThrow(/EACCES/)
    expect(readdirSync(closed)).toEqual([])
    rmSync(conf)
    renameSync(`${conf}.old`, conf)
    const prepared = prepareCfg(cfg, OWNER)
    lead(closed)
    expect(() => writeCfg(prepared, site)).toThrow('could not be written (EACCES)')
    expect(readdirSync(closed)).toEqual([])
  })

  test('reads nothing there', () => {
    writeFileSync(join(closed, 'site.cfg'), '[theirs]\nsecret = marker\n')
    lead(closed)
    expect(() => prepareCfg(cfg, OWNER)).toThrow('cannot be read (EACCES)')
  })

  test('refuses a folder of one user for the cfg of another, and says the cure', () => {
    const cure = `${join(folder, 'shop')} belongs to user ${UID}, who could lead root elsewhere: say --cfg-owner`
    expect(() => prepareCfg(cfg, '4321:4321')).toThrow(cure)
    writeFileSync(cfg, '')
    expect(() => prepareCfg(cfg, undefined)).toThrow(cure)
    writeCfg(prepareCfg(cfg, OWNER), site)
    expect(statSync(cfg)).toMatchObject({ uid: UID, gid: GID })
  })

  test('gives a cfg in a folder of its own to anybody', () => {
    const own = join(closed, 'site.cfg')
    writeCfg(prepareCfg(own, OWNER), site)
    expect(statSync(own)).toMatchObject({ uid: UID, gid: GID, mode: 0o100640 })
    const unowned = prepareCfg(join(closed, 'unowned.cfg'), undefined)
    expect(unowned).toMatchObject({ unowned: true, owner: { uid: 0, mode: 0o600 } })
  })
})

test('a folder that is not there is named', () => {
  expect(() => prepareCfg(join(closed, 'none', 'site.cfg'), undefined)).toThrow(
    `${join(closed, 'none')} is no folder; make it first`,
  )
})
