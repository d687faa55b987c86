/** Debian's Chromium, driven by Playwright. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { required } from './required.js'

const EXECUTABLE = '/usr/bin/chromium'

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function hasChromium(): boolean {
  return required(`${EXECUTABLE} (on Debian: apt-get install chromium)`, () =>
    existsSync(EXECUTABLE),
  )
}

export interface Browser extends AsyncDisposable {
  page: Page
  /** What pages complained about in the console: script errors, refused by a policy, not found. */
  complaints: string[]
}

/** A browser with a profile of its own. @param args beyond those that every test has */
export async function openBrowser(args: readonly string[] = []): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'relyd-chromium-'))
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: [...ARGS, ...args],
  })
  const complaints: string[] = []
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  context.on('weberror', (error) => complaints.push(String(error.error())))
  return {
    page: context.pages()[0] ?? (await context.newPage()),
    complaints,
    async [Symbol.asyncDispose]() {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}
