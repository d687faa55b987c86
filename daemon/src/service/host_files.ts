/** Files of this host, or of an image below a folder, whose links lead nowhere outside of it. */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { randomToken } from '../random.js'
import { StartError } from '../start_error.js'
import { syncFolder } from '../store/write_durably.js'

/** As the kernel counts them before it gives up. */
const MOST_LINKS = 40

/** Paths are those that the host itself, or the image once it runs, knows: `/etc/relyd/relyd.cfg`. */
export class HostFiles {
  readonly #root: string
  readonly #dry: boolean

  /**
   * @param root `/`, or the folder of an image
   * @param dry changes nothing
   * @throws StartError if there is no such folder
   */
  constructor(root: string, dry: boolean) {
    this.#root = resolve(root)
    this.#dry = dry
    if (!statSync(this.#root, { throwIfNoEntry: false })?.isDirectory()) {
      throw new StartError(`--root ${this.#root} is not a folder`)
    }
  }

  get isHost(): boolean {
    return this.#root === '/'
  }

  /** What is there itself, not what a link there leads to. */
  lstat(path: string): Stats | undefined {
    return lstatSync(this.#at(path), { throwIfNoEntry: false })
  }

  /** Where the path leads when all links are followed. @returns undefined if nothing is there */
  real(path: string): string | undefined {
    const found = this.#walk(path)
    return existsSync(join(this.#root, found)) ? found : undefined
  }

  /** Every folder, link and file that one passes on the way to what the path leads to. */
  way(path: string): string[] {
    const passed: string[] = []
    this.#walk(path, (place) => passed.push(place))
    return passed
  }

  read(path: string): string {
    return readFileSync(this.#at(path), 'utf8')
  }

  list(folder: string): string[] {
    const real = this.real(folder)
    return real === undefined ? [] : readdirSync(join(this.#root, real)).sort()
  }

  /** Puts the whole file there at once, in the place of what was there. */
  write(path: string, text: string, mode: number): void {
    if (this.#dry) return
    const target = this.#at(path)
    const folder = dirname(target)
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    const draft = join(folder, `.relyd-${randomToken(9)}`)
    try {
      const file = openSync(draft, 'wx', 0o600)
      try {
        writeFileSync(file, text)
        // Not by the umask, under which the daemon might not read it.
        fchmodSync(file, mode)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(draft, target)
    } finally {
      rmSync(draft, { force: true })
    }
    syncFolder(folder)
  }

  /** Removes a file, a link or a folder with all that is in it; what links lead to stays. */
  remove(path: string): void {
    if (!this.#dry) rmSync(this.#at(path), { recursive: true, force: true })
  }

  /** @returns whether the folder was empty, and is gone now */
  removeIfEmpty(folder: string): boolean {
    if (!this.lstat(folder)?.isDirectory() || this.list(folder).length > 0) return false
    if (!this.#dry) rmdirSync(this.#at(folder))
    return true
  }

  /** The path from outside of the image. Its last part is no further looked at. */
  #at(path: string): string {
    return join(this.#root, this.#walk(dirname(path)), basename(path))
  }

  /** Follows links as a process within the image does: `/` and `..` end at its root. */
  #walk(path: string, pass?: (place: string) => void): string {
    const left = path.split('/').filter(Boolean)
    let links = 0
    let at = '/'
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      const next = join(at, part)
      pass?.(next)
      const stat = lstatSync(join(this.#root, next), { throwIfNoEntry: false })
      if (!stat?.isSymbolicLink()) {
        at = next
        continue
      }
      links += 1
      if (links > MOST_LINKS) throw new StartError(`${path}: too many links lead to each other`)
      const target = readlinkSync(join(this.#root, next))
      if (target.startsWith('/')) at = '/'
      left.unshift(...target.split('/').filter(Boolean))
    }
    return at
  }
}
