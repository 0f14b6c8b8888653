import { expect, test, vi } from 'vitest';
import { BEAT_MS, Pulse } from '../../src/daemon/pulse.js';

test('a look that throws is told once, and keeps no other look from being made', () => {
  vi.useFakeTimers();
  const failed: unknown[] = [];
  const pulse = new Pulse((error) => failed.push(error));
  let made = 0;
  pulse.add(BEAT_MS, () => {
    throw new Error('out of order');
  });
  pulse.add(2 * BEAT_MS, () => {
    made++;
  });
  vi.advanceTimersByTime(4 * BEAT_MS);
  pulse.close();
  vi.useRealTimers();
  expect(failed).toHaveLength(1);
  expect(made).toBe(2);
});
