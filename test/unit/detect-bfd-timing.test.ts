import { describe, expect, it } from 'vitest';
import { heardBefore } from '../../src/detect/bfd/timing.js';

describe('the last packet that was there when a session was given up', () => {
  const [AT, DETECT] = [1_000, 30];
  it.each([
    ['none ever came', 0, 0, 0],
    ['the session took it', 970, 0, 970],
    ['the programs took it', 100, 970, 970],
    ['another came since, and the session took that', 1_011, 970, 970],
    ['the programs have taken others since', 100, 1_011, AT - DETECT],
    ['all that is known came since', 1_005, 0, AT - DETECT],
  ])('%s', (_, taken, repeated, heard) => {
    expect(heardBefore(AT, taken, repeated, DETECT)).toBe(heard);
  });
});
