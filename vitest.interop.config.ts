import { defineConfig } from 'vitest/config'

/** What takes long: other versions of Node. */
export default defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts'],
    // Each runs a suite of its own that wants both cores.
    fileParallelism: false,
  },
})
