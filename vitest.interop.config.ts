import { defineConfig } from 'vitest/config'

/** Each wants both cores, or counts what a host can take. */
const ALONE = [
  'flood',
  'fuzz',
  'keycloak',
  'node_versions',
  'oxd_wire',
  'slow_http',
  'systemd',
].map((name) => `test/interop/${name}.test.ts`)

const common = {
  globalSetup: 'test/support/record.ts',
  setupFiles: 'test/support/seed.ts',
  // On a busy machine; what polls for less says so.
  expect: { poll: { timeout: 10_000 } },
  testTimeout: 30_000,
  hookTimeout: 30_000,
}

/** What takes long: a browser, a Keycloak, a booted systemd, broken hosts, clients of oxD, other versions of Node, hundreds of kills and OP bodies, fuzz and flood. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'side by side',
          include: ['test/interop/**/*.test.ts'],
          exclude: ALONE,
          // Most of each is waiting for a process that it started.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
