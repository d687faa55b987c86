/** Debian's Chromium, driven by Playwright. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

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

/** Whether there is one. CI must have it; elsewhere the reason for skipping is printed. */
export function hasChromium(): boolean {
  if (existsSync(EXECUTABLE)) return true
  if (process.env['CI']) throw new Error('Chromium is required in CI; .ci/run installs it')
  console.warn(`skipped: there is no ${EXECUTABLE} (on Debian: apt-get install chromium)`)
  return false
}

export interface Browser extends AsyncDisposable {
  page: Page
  /** What pages complained about in the console: script errors, refused by a policy, not found. */
  complaints: string[]
}

/** A browser with a profile of its own. */
export async function openBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'relyd-chromium-'))
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: ARGS,
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
