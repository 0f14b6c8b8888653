import { release } from 'node:os';
import type { TestContext } from 'vitest';

/**
 * How much longer than on a real machine a wait may take: TEST_SLOWDOWN, set where an emulated one runs the tests. It stretches deadlines alone;
 * what is expected to be true stays the same.
 */
export const SLOWDOWN = Number(process.env.TEST_SLOWDOWN ?? 1);

/** Whether this kernel is at least `6.6`. */
export function kernelAtLeast(version: string): boolean {
  const [have, want] = [release(), version].map((v) => v.split('.').map((n) => Number.parseInt(n, 10)));
  return have![0]! > want![0]! || (have![0] === want![0] && have![1]! >= want![1]!);
}

/**
 * Ends the test as unsupported, in words, where the kernel is older than what it tests. On a newer one there is no way out: a feature that
 * is missing there fails the test.
 */
export function requires(context: TestContext, feature: string, since: string): void {
  if (!kernelAtLeast(since)) context.skip(`${feature} (Linux ${since})`);
}
