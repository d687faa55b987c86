/** The root of an image in which relyd is installed as npm would, as far as its units look at it. */
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'

/** Where Debian keeps the units of systemd, of which ours want some targets. */
const TARGETS = '/usr/lib/systemd/system'

export class Image implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'relyd-image-'))

  constructor() {
    chmodSync(this.root, 0o755)
    for (const program of ['usr/bin/node', 'usr/bin/relyd', 'bin/kill']) {
      this.put(program, '#!/bin/sh\n', 0o755)
    }
    if (!existsSync(TARGETS)) return
    for (const name of readdirSync(TARGETS).filter((one) => one.endsWith('.target'))) {
      cpSync(join(TARGETS, name), this.at(`${TARGETS}/${name}`), { verbatimSymlinks: true })
    }
  }

  at(path: string): string {
    return join(this.root, path)
  }

  put(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.at(path)), { recursive: true })
    writeFileSync(this.at(path), text)
    chmodSync(this.at(path), mode)
  }

  text(path: string): string {
    return readFileSync(this.at(path), 'utf8')
  }

  /** Every file and link below a folder, by its path, with its mode in octal. */
  files(folder: string): string[] {
    if (!existsSync(this.at(folder))) return []
    return readdirSync(this.at(folder), { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => {
        const { mode } = lstatSync(path)
        return `${(mode & 0o777).toString(8)} /${relative(this.root, path)}`
      })
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true })
  }
}
