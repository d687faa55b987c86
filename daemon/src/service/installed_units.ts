/** The units of relyd as they lie on the host. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONFIG } from './units.js'

/** A socket unit, as far as it must agree with relyd.cfg. */
export interface SocketUnit {
  /** Such as `relyd-shop.socket`. */
  unit: string
  /** ListenStream=. */
  address: string | undefined
}

export interface InstalledUnits {
  root: string
  /** Of relyd.service. */
  service: { path: string; text: string } | undefined
  /** By the listener that they name. */
  sockets: Map<string, SocketUnit>
  /** The relyd.cfg that the service is started with. */
  config: string | undefined
  /** The source of the credential that has its keys. */
  key_file: string | undefined
}

/** Where a unit may lie, the one that counts first. */
const FOLDERS = ['etc/systemd/system', 'usr/lib/systemd/system', 'lib/systemd/system']

/** @param root `/`, or the folder of an image */
export function installedUnits(root: string): InstalledUnits {
  const folders = FOLDERS.map((folder) => join(root, folder)).filter((one) => existsSync(one))
  const path = folders.map((folder) => join(folder, 'relyd.service')).find((one) => existsSync(one))
  const text = path === undefined ? undefined : textOf(path)
  const [, credential] = /^LoadCredential=store\.key:(.+?)\s*$/m.exec(text ?? '') ?? []
  const [, started_with = CONFIG] =
    /\s(?:-c|--config)[ =](\S+)/.exec(settingOf(text ?? '', 'ExecStart') ?? '') ?? []
  const sockets = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /^relyd(-.+)?\.socket$/.test(name))
      .map((unit): [string, SocketUnit] => {
        const socket = textOf(join(folder, unit)) ?? ''
        const listener = settingOf(socket, 'FileDescriptorName') ?? unit
        return [listener, { unit, address: settingOf(socket, 'ListenStream') }]
      }),
  )
  return {
    root,
    service: path !== undefined && text !== undefined ? { path, text } : undefined,
    // What counts first must stand last.
    sockets: new Map(sockets.reverse()),
    config: text === undefined ? undefined : join(root, started_with),
    key_file: credential === undefined ? undefined : join(root, credential),
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Of a setting that is given once; drop-ins are not looked at. */
export function settingOf(unit: string, setting: string): string | undefined {
  return new RegExp(`^${setting}=(.*)$`, 'm').exec(unit)?.[1]?.trim()
}
