import { describe, expect, it } from 'vitest';
import { longestGap, lowerBound, median, percentile, sorted, summarize } from '../../bench/stats.js';

describe('percentile', () => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1);

  it.each([
    [0, 1],
    [1, 1],
    [50, 50],
    [50.5, 51],
    [99, 99],
    [99.1, 100],
    [100, 100],
  ])('%d of 1 … 100 is %d: nearest rank', (p, expected) => {
    expect(percentile(hundred, p)).toBe(expected);
  });

  it('is not put off by binary fractions', () => {
    // 0.99 * 1400 and 0.07 * 100 are a little above the integers that they should be.
    const many = Float64Array.from({ length: 1400 }, (_, i) => i + 1);
    expect(percentile(many, 99)).toBe(1386);
    expect(percentile(hundred, 7)).toBe(7);
  });

  it('knows the sample of one', () => {
    for (const p of [0, 50, 99, 100]) expect(percentile([7], p)).toBe(7);
  });

  it('refuses what has no answer', () => {
    expect(() => percentile([], 50)).toThrow(RangeError);
    expect(() => percentile([1], -1)).toThrow(RangeError);
    expect(() => percentile([1], 101)).toThrow(RangeError);
    expect(() => percentile([1], Number.NaN)).toThrow(RangeError);
  });
});

describe('summarize', () => {
  it('sorts by value, not as text, and leaves its input alone', () => {
    const values = [10, 9, 100, -1, 2];
    expect(summarize(values)).toEqual({ n: 5, min: -1, p50: 9, p99: 100, max: 100 });
    expect(values).toEqual([10, 9, 100, -1, 2]);
    expect([...sorted([3, -2, 1])]).toEqual([-2, 1, 3]);
  });

  it('keeps an outage without end visible', () => {
    expect(summarize([1, Number.POSITIVE_INFINITY, 2]).max).toBe(Number.POSITIVE_INFINITY);
  });

  it('refuses an empty sample and NaN', () => {
    expect(() => summarize([])).toThrow(RangeError);
    expect(() => summarize([1, Number.NaN])).toThrow(RangeError);
  });

  it('median takes the lower middle of an even sample', () => {
    expect(median([4, 1, 3, 2])).toBe(2);
  });
});

describe('lowerBound', () => {
  it.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 3],
    [9, 4],
  ])('of %d in 1 2 2 5', (value, at) => {
    expect(lowerBound([1, 2, 2, 5], value)).toBe(at);
  });

  it('stays within its bounds', () => {
    expect(lowerBound([1, 2, 3, 4], 1, 2, 3)).toBe(2);
    expect(lowerBound([1, 2, 3, 4], 9, 1, 3)).toBe(3);
    expect(lowerBound([], 1)).toBe(0);
  });
});

describe('longestGap', () => {
  it('leaves out frames that never came, and does not mind order', () => {
    expect(longestGap([0, 100, 110, 0, 150, 140, 0])).toBe(30);
  });

  it('is 0 where there is no pair', () => {
    expect(longestGap([])).toBe(0);
    expect(longestGap([0, 0])).toBe(0);
    expect(longestGap([5, 0])).toBe(0);
  });
});
