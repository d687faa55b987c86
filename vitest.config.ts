import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{sdk,daemon,demosite,tools}/src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/interop/**'],
    globalSetup: 'test/support/record.ts',
    setupFiles: 'test/support/seed.ts',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
