import { defineConfig } from 'vitest/config'

/** What takes long: a browser, a Keycloak, a booted systemd, broken hosts, other versions of Node, hundreds of kills, fuzz and flood. */
export default defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts'],
    globalSetup: 'test/support/record.ts',
    setupFiles: 'test/support/seed.ts',
    // On a busy machine; what polls for less says so.
    expect: { poll: { timeout: 10_000 } },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Each wants both cores.
    fileParallelism: false,
  },
})
