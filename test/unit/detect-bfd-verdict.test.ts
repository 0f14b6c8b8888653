import { describe, expect, it } from 'vitest';
import * as V from '../../src/detect/bfd/verdict.js';
import * as R from '../../src/detect/record.js';
import { CAUSE_BFD } from '../../src/policy/evaluate.js';
import { NUMBER, verdictsOf } from '../helpers/detectors.js';

const PATIENCE = { retryMs: 1000, retryMaxMs: 10_000 };

/** A path's record in the midst of others. */
class Rig {
  readonly records = new Int32Array(2 * R.DETECT_SLOT_WORDS);
  readonly base = R.detectBase(1, 0, NUMBER.bfd);
  now: number;

  constructor(now = 5000) {
    this.now = now | 0;
  }

  turn(seen: number, ms = 1) {
    this.now = (this.now + ms) | 0;
    V.judge(this.records, this.base, this.now, seen, PATIENCE);
    return this.state;
  }

  get state() {
    return R.STATE_NAMES[this.records[this.base + R.D_STATE]!];
  }

  get verdict() {
    return verdictsOf(this.records, 1).combine(0);
  }

  get strikes() {
    return this.records[this.base + V.B_STRIKES];
  }
}

const UP = V.SEEN_ACTIVE | V.SEEN_UP;

describe('a path', () => {
  it('has nothing against it before the session was up, nor while it carries no traffic', () => {
    const r = new Rig();
    expect({ turn: r.turn(V.SEEN_ACTIVE), verdict: r.verdict }).toEqual({ turn: 'suspect', verdict: 0 });
    expect({ turn: r.turn(0), verdict: r.verdict }).toEqual({ turn: 'off', verdict: 0 });
    expect({ turn: r.turn(UP), verdict: r.verdict }).toEqual({ turn: 'ok', verdict: 0 });
    expect({ turn: r.turn(V.SEEN_UP), verdict: r.verdict }).toEqual({ turn: 'off', verdict: 0 });
    expect(r.records[r.base + R.D_PROOF_MS]).toBe(r.now - 1);
  });

  it.each([5000, 2 ** 31 - 500])('on which the session fell is avoided for the time, at %i ms', (now) => {
    const r = new Rig(now);
    r.turn(UP);
    expect({ turn: r.turn(V.SEEN_FALLEN), verdict: r.verdict }).toEqual({ turn: 'down', verdict: CAUSE_BFD });
    expect({ turn: r.turn(0, 998), verdict: r.verdict }).toEqual({ turn: 'down', verdict: CAUSE_BFD });
    expect({ turn: r.turn(V.SEEN_ACTIVE, 1), verdict: r.verdict }).toEqual({
      turn: 'down',
      verdict: CAUSE_BFD,
    });
    expect({ turn: r.turn(0, 1), verdict: r.verdict }).toEqual({ turn: 'off', verdict: 0 });
  });

  it('that had to be kept is well again when the session is', () => {
    const r = new Rig();
    r.turn(UP);
    r.turn(V.SEEN_FALLEN);
    expect({ turn: r.turn(V.SEEN_UP), verdict: r.verdict }).toEqual({ turn: 'down', verdict: CAUSE_BFD }); // up on the other one
    expect({ turn: r.turn(UP), verdict: r.verdict, strikes: r.strikes }).toEqual({
      turn: 'ok',
      verdict: 0,
      strikes: 1,
    });
  });

  it('is avoided twice as long by each relapse, up to the most, and less again after being well', () => {
    const r = new Rig();
    const spans: number[] = [];
    for (let i = 0; i < 6; i++) {
      r.turn(UP);
      r.turn(V.SEEN_FALLEN);
      let ms = 0;
      while (r.turn(0) === 'down') ms++;
      spans.push(ms + 1);
    }
    expect(spans).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(r.strikes).toBe(6);
    r.turn(UP);
    r.turn(UP, 9_999);
    expect(r.strikes).toBe(6);
    r.turn(UP, 1);
    expect(r.strikes).toBe(5);
    for (let i = 0; i < 60; i++) r.turn(UP, 1000);
    expect(r.strikes).toBe(0);
  });

  it('leaves other records alone', () => {
    const r = new Rig();
    for (const seen of [UP, V.SEEN_FALLEN, 0, UP]) r.turn(seen);
    const rest = r.records.slice();
    rest.fill(0, r.base, r.base + R.DETECT_WORDS);
    expect(rest.every((w) => w === 0)).toBe(true);
  });
});
