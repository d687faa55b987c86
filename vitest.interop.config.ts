import { defineConfig } from 'vitest/config'

/** What takes long: other versions of Node, hundreds of kills, and more of the fuzz. */
export default defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts', 'test/e2e/fuzz.test.ts'],
    setupFiles: 'test/support/seed.ts',
    env: { FUZZ_FRAMES: '200000' },
    // Each wants both cores.
    fileParallelism: false,
  },
})
