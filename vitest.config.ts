import { defineConfig } from 'vitest/config';

/**
 * Tests of real devices and guests fail now and then when the machine itself stands still: once is reported as a retry, twice is a failure.
 */
const RETRY = { retry: process.env.CI ? 1 : 0 };

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
          include: ['test/vm/*.test.ts'],
          // `make vm-test` has time for them.
          exclude: process.env.VM_TEST === 'full' ? [] : ['test/vm/{filter-limits,migration,taps}.test.ts'],
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
