import { defineConfig } from 'vitest/config'

/** What takes long: other versions of Node, and hundreds of kills. */
export default defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts'],
    // Each wants both cores.
    fileParallelism: false,
  },
})
