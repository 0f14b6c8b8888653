import { describe, expect, it } from 'vitest';
import { RefTracker } from '../../src/registry/refs.js';
import { Backoff } from '../../src/registry/retry.js';

describe('Backoff', () => {
  it('doubles the ceiling from 100 ms to 30 s', () => {
    const backoff = new Backoff({ random: () => 0.999999 });
    const waits = Array.from({ length: 12 }, () => backoff.fail(0) + 1);
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
    expect(backoff.attempts).toBe(12);
  });

  it('jitters over the whole of it, and never waits for nothing', () => {
    expect(new Backoff({ random: () => 0.5 }).fail(1000)).toBe(1050);
    expect(new Backoff({ random: () => 0 }).fail(1000)).toBe(1001);
  });

  it('is due at its time, and starts over after a reset', () => {
    const backoff = new Backoff({ random: () => 0.5, baseMs: 10, maxMs: 20 });
    expect(backoff.due(0)).toBe(true);
    backoff.fail(0);
    expect([backoff.due(4), backoff.due(5)]).toEqual([false, true]);
    backoff.fail(5);
    expect(backoff.retryAtMs).toBe(15);
    backoff.reset();
    expect(backoff.attempts).toBe(0);
    expect(backoff.fail(100)).toBe(105);
  });

  it('survives more failures than a double has exponents', () => {
    const backoff = new Backoff({ random: () => 0.5 });
    for (let i = 0; i < 2000; i += 1) backoff.fail(0);
    expect(backoff.fail(0)).toBe(15_000);
  });
});

describe('RefTracker', () => {
  it('reports a leak with its holder and where it was taken', () => {
    const refs = new RefTracker();
    function takeTheLeak() {
      return refs.hold('instance web0', 'device ens5');
    }
    const kept = takeTheLeak();
    refs.hold('worker 1', 'map vf_steer').release();
    expect(refs.size).toBe(1);
    expect(refs.leaks()).toEqual([kept]);
    expect(refs.leaks('map vf_steer')).toEqual([]);
    const report = refs.report();
    expect(report).toContain('1 reference not released');
    expect(report).toContain('device ens5, held by instance web0');
    expect(report).toContain('takeTheLeak');
    expect(report).not.toContain('RefTracker.hold');
    kept.release();
    expect(refs.report()).toBe('');
  });

  it('refuses a second release', () => {
    const ref = new RefTracker().hold('a', 'b');
    expect(ref.released).toBe(false);
    ref.release();
    expect(ref.released).toBe(true);
    expect(() => ref.release()).toThrow(/released twice/);
  });

  it('releases at the end of a using block, even if released in it', () => {
    const refs = new RefTracker();
    {
      using _ref = refs.hold('a', 'b');
      using early = refs.hold('a', 'c');
      early.release();
    }
    expect(refs.size).toBe(0);
  });
});
