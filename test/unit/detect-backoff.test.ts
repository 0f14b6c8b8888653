import { describe, expect, it } from 'vitest';
import { avoidMs } from '../../src/detect/backoff.js';

const LONGEST = 24 * 3600 * 1000;

describe('how long a path is avoided', () => {
  it.each([
    [0, 1000],
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [4, 5000],
    [400, 5000],
  ])('after %d strikes: %d ms', (strikes, ms) => {
    expect(avoidMs(strikes, 1000, 5000)).toBe(ms);
  });

  it('stays an int32, however many strikes there are', () => {
    for (let strikes = 0; strikes < 64; strikes++) {
      const ms = avoidMs(strikes, 100, LONGEST);
      expect(ms | 0).toBe(ms);
    }
    expect(avoidMs(64, 100, LONGEST)).toBe(LONGEST);
  });
});
