import { monotonicNs } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import { monotonicMs, wrappedMs } from '../../src/clock.js';

describe('the clock of records', () => {
  it.each([
    [999_999, 0],
    [1e6, 1],
    [(2 ** 31 + 0.7) * 1e6, -(2 ** 31)],
    [2 ** 32 * 1e6, 0],
  ])('folds %d ns into an int32 of milliseconds', (ns, ms) => {
    expect(wrappedMs(ns)).toBe(ms);
  });

  it('reads what the kernel counts', () => {
    const before = wrappedMs(monotonicNs());
    const passed = (monotonicMs() - before) | 0;
    expect(passed).toBeGreaterThanOrEqual(0);
    expect(passed).toBeLessThan(10_000);
  });
});
