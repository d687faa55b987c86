import { defineConfig } from 'vitest/config'

/** What takes long: a browser, a booted systemd, broken hosts, other versions of Node, hundreds of kills, and more of fuzz and flood. */
export default defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts', 'test/e2e/{fuzz,flood,kill_upkeep}.test.ts'],
    globalSetup: 'test/support/record.ts',
    setupFiles: 'test/support/seed.ts',
    // On a busy machine; what polls for less says so.
    expect: { poll: { timeout: 10_000 } },
    env: { FUZZ_FRAMES: '200000', FLOOD_STARTS: '100000', KILL_EVERYWHERE: 'yes' },
    // Each wants both cores.
    fileParallelism: false,
  },
})
