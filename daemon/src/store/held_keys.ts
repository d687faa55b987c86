/**
 * The keys that an open store works with: those of the key file, which is read again when it
 * changes, so that keys are changed without a restart.
 */
import { statSync } from 'node:fs'
import type { Clock, Seconds } from '../clock.js'
import type { Cell, Keyring } from './encryption.js'
import { codeOf, messageOf, StoreError } from './errors.js'
import { cureOfKeyFile, readKeyFile } from './key_file.js'
import type { KeyRecord } from './key_record.js'

/** What became of a key file that changed; `refused` is said once for each reason. */
export type KeyChange = { adopted: string[] } | { refused: string }

export interface HeldKeysOptions {
  keys: Keyring
  /** Of the file before the keys were read from it. */
  signature: string
  key_file: string
  record: KeyRecord
  clock: Clock
}

export class HeldKeys {
  /** Told of every change, from within the call that found it. */
  onChange: (change: KeyChange) => void = () => {}
  readonly #key_file: string
  readonly #record: KeyRecord
  readonly #clock: Clock
  readonly #sealed_with = new Set<string>()
  #keys: Keyring
  #adopted: string
  #refused: { signature: string; message: string } | undefined

  /** @param options keys that `record` has found right */
  constructor({ keys, signature, key_file, record, clock }: HeldKeysOptions) {
    this.#keys = keys
    this.#adopted = signature
    this.#key_file = key_file
    this.#record = record
    this.#clock = clock
  }

  /** The key that seals. */
  get current_id(): string {
    return this.#keys.current_id
  }

  /** When the key that seals began to; undefined if the database no longer knows it. */
  currentSince(): Seconds | undefined {
    return this.#record.all().find(({ key_id }) => key_id === this.current_id)?.recorded_at
  }

  /** Of every key, the one that seals first. */
  get ids(): string[] {
    return this.#keys.ids
  }

  /** @returns the sealed value, for this place only; commit it with {@link requireRecorded} */
  seal(plaintext: string | Buffer, cell: Cell): Buffer {
    this.#sealed_with.add(this.#keys.current_id)
    return this.#keys.seal(plaintext, cell)
  }

  /**
   * @returns what was sealed
   * @throws StoreError `key_missing` or `tampered`
   */
  open(blob: Buffer, cell: Cell): Buffer {
    try {
      return this.#keys.open(blob, cell)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'key_missing') throw error
      // Another daemon has adopted a key before this one looked.
      if (!this.#look(false)) throw error
      return this.#keys.open(blob, cell)
    }
  }

  /**
   * Refuses a commit of values whose key was retired meanwhile: a daemon that could not adopt the
   * next one would write what nobody can open.
   *
   * @throws StoreError `key_missing`
   */
  requireRecorded(): void {
    const retired = [...this.#sealed_with].filter((key_id) => !this.#record.has(key_id))
    this.#sealed_with.clear()
    if (retired.length === 0) return
    throw new StoreError(
      'key_missing',
      `The key ${retired.join(', ')} was retired while this daemon still encrypts with it; ` +
        'restart the daemon',
    )
  }

  /** Reads the key file if it changed, or was refused before: what was wrong may lie elsewhere. */
  look(): void {
    this.#look(true)
  }

  /** @returns whether other keys were adopted */
  #look(again: boolean): boolean {
    const signature = signatureOf(this.#key_file)
    if (signature === this.#adopted) return false
    if (signature === this.#refused?.signature && !again) return false
    try {
      const keys = readKeyFile(this.#key_file)
      if (!keys) {
        throw new StoreError(
          'key_file',
          `There is no key file ${this.#key_file} any more; ${cureOfKeyFile(this.#key_file)}`,
        )
      }
      this.#record.adopt(keys, this.#key_file, this.#clock())
      const news = this.#refused !== undefined || keys.ids.join() !== this.#keys.ids.join()
      this.#keys = keys
      this.#adopted = signature
      this.#refused = undefined
      if (news) this.onChange({ adopted: keys.ids })
      return true
    } catch (error) {
      const message = messageOf(error)
      const told = message === this.#refused?.message
      this.#refused = { signature, message }
      if (!told) this.onChange({ refused: message })
      return false
    }
  }
}

/** @returns a text that is another one after every change of the file or its permissions */
export function signatureOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join()
  } catch (error) {
    return String(codeOf(error))
  }
}
