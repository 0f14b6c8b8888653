import { defineConfig } from 'vitest/config';

/**
 * In CI a test of real devices or guests is tried twice, until twenty whole runs without a failure allow to drop this. A second try is told as
 * flaky. Everywhere else each failure counts.
 */
const RETRY = { retry: process.env.CI ? 1 : 0 };

/** `make test` sets TESTS=commit: it leaves out what takes guests or whole suites, and `make test-full` runs that too. */
const EACH_COMMIT = process.env.TESTS === 'commit';

/** Guests of each commit: that one boots, that the loader works there, that the daemon does. */
const GUESTS = EACH_COMMIT ? '{agent,guest,matrix}' : '*';

/** `make vm-test` has time for them. */
const FOR_VM_TEST = process.env.VM_TEST === 'full' ? [] : ['test/vm/{filter-limits,migration,taps}.test.ts'];

/** Suites run in this order: what needs nothing first, what needs a kernel after it, the whole daemon, other kernels in
 * guests, the loader as it is shipped. */
export default defineConfig({
  test: {
    reporters: ['default', './test/helpers/summary.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'loader',
          include: ['packages/bpf-loader-ts/test/**/*.test.ts'],
          exclude: ['**/node_modules/**', 'packages/bpf-loader-ts/test/release/**'],
          pool: 'forks',
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'netns',
          ...RETRY,
          include: ['test/netns/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'vm',
          ...RETRY,
          include: [`test/vm/${GUESTS}.test.ts`],
          exclude: FOR_VM_TEST,
          pool: 'forks',
          // A guest at a time: they are emulated, and two wait for each other.
          maxWorkers: 1,
          testTimeout: 900_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: 'release',
          include: ['packages/bpf-loader-ts/test/release/*.test.ts'],
          exclude: EACH_COMMIT ? ['**/{nodes,sanitizers}.test.ts'] : [],
          pool: 'forks',
          // Each test runs a whole suite.
          maxWorkers: 1,
          testTimeout: 900_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
