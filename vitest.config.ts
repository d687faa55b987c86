import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{sdk,daemon,demosite,tools}/src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/interop/**'],
    globalSetup: 'test/support/record.ts',
    setupFiles: 'test/support/seed.ts',
    // On a busy machine; what polls for less says so.
    expect: { poll: { timeout: 10_000 } },
    // One more than two cores have: much of a test is waiting for a process that it started.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
