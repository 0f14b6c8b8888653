import { describe, expect, it } from 'vitest';
import * as R from '../../src/detect/record.js';
import * as U from '../../src/detect/unanswered/state.js';
import { CAUSE_UNANSWERED } from '../../src/policy/evaluate.js';

const ACTIVE_WELL = U.SEEN_ACTIVE | U.SEEN_ANSWERED;

class Rig {
  readonly records = new Int32Array(3 * R.DETECT_WORDS).fill(0x5a5a5a5a);
  readonly base = R.DETECT_WORDS;
  now: number;

  constructor(o: { retryMs?: number; retryMaxMs?: number; strikes?: number } = {}, now = 1000) {
    this.now = now | 0;
    U.initUnanswered(this.records, this.base, {
      retryMs: 1000,
      retryMaxMs: 60_000,
      strikes: 0,
      ...o,
      nowMs: this.now,
    });
  }

  get(word: number): number {
    return this.records[this.base + word]!;
  }

  get verdict(): number {
    return this.get(R.D_VERDICT);
  }

  get strikes(): number {
    return this.get(U.U_STRIKES);
  }

  turn(ms: number, seen = 0): this {
    this.now = (this.now + ms) | 0;
    U.watchTurn(this.records, this.base, this.now, seen);
    return this;
  }

  /** Carries traffic well for so long, with a turn every 100 ms. */
  well(ms: number): this {
    for (let t = 0; t < ms; t += 100) this.turn(100, ACTIVE_WELL);
    return this;
  }

  silent(): this {
    U.fellSilent(this.records, this.base, this.now);
    return this;
  }

  /** How long the suspicion lasts when nothing is seen of the path, to 100 ms. */
  lasts(): number {
    let ms = 0;
    while (this.verdict !== 0) {
      this.turn(100);
      ms += 100;
      if (ms > 1e7) throw new Error('it does not end');
    }
    return ms;
  }
}

describe('a path that fell silent', () => {
  it('is dead at once, for retry_ms, then tried again', () => {
    const rig = new Rig().turn(1, ACTIVE_WELL);
    expect({ verdict: rig.verdict, state: rig.get(R.D_STATE) }).toEqual({ verdict: 0, state: R.STATE_OK });
    rig.silent();
    expect({ verdict: rig.verdict, state: rig.get(R.D_STATE) }).toEqual({
      verdict: CAUSE_UNANSWERED,
      state: R.STATE_DOWN,
    });
    expect(rig.turn(999).verdict).toBe(CAUSE_UNANSWERED);
    expect(rig.turn(1).verdict).toBe(0);
    expect(rig.get(R.D_STATE)).toBe(R.STATE_OK);
  });

  it('is avoided twice as long with every relapse, up to retry_max_ms', () => {
    const rig = new Rig({ retryMs: 1000, retryMaxMs: 5000 });
    const times = [];
    for (let i = 0; i < 5; i++) times.push(rig.silent().lasts());
    expect(times).toEqual([1000, 2000, 4000, 5000, 5000]);
  });

  it('does not overflow however often', () => {
    const rig = new Rig({ retryMs: 3_600_000, retryMaxMs: 86_400_000, strikes: 100 });
    expect((rig.silent().get(U.U_UNTIL_MS) - rig.now) | 0).toBe(86_400_000);
  });

  it('that has to be kept stays so for longer with every firing, and that is no relapse', () => {
    const rig = new Rig().silent();
    for (let i = 0; i < 20; i++) rig.turn(500, U.SEEN_ACTIVE).silent();
    expect({ verdict: rig.verdict, strikes: rig.strikes }).toEqual({ verdict: CAUSE_UNANSWERED, strikes: 1 });
    expect(rig.lasts()).toBe(1000);
  });

  it('that has to be kept is well when it answers', () => {
    const rig = new Rig().silent().turn(1, U.SEEN_ACTIVE | U.SEEN_WAITING);
    expect(rig.verdict).toBe(CAUSE_UNANSWERED);
    expect(rig.turn(1, ACTIVE_WELL).verdict).toBe(0);
  });

  it('and was left is not believed for a late answer', () => {
    expect(new Rig().silent().turn(1, U.SEEN_ANSWERED).verdict).toBe(CAUSE_UNANSWERED);
  });

  it('ends early when another detector proves that it lives, but only once', () => {
    const rig = new Rig().silent();
    expect(rig.turn(1, U.SEEN_ALIVE).verdict).toBe(0);
    rig.silent();
    expect(rig.strikes).toBe(2);
    expect(rig.turn(1, U.SEEN_ALIVE).verdict).toBe(CAUSE_UNANSWERED);
  });
});

describe('relapses', () => {
  it('are forgiven one by one while it carries traffic well, each after the time it had cost', () => {
    const rig = new Rig();
    for (let i = 0; i < 3; i++) rig.silent().lasts();
    expect(rig.strikes).toBe(3);
    expect(rig.well(3900).strikes).toBe(3);
    expect(rig.well(100).strikes).toBe(2);
    expect(rig.well(2000).strikes).toBe(1);
    expect(rig.well(1000).strikes).toBe(0);
    expect(rig.silent().lasts()).toBe(1000);
  });

  it('are not forgiven by time that it is not in use, or in which it does not answer', () => {
    const rig = new Rig();
    rig.silent().lasts();
    for (let i = 0; i < 100; i++) rig.turn(1000).turn(1000, U.SEEN_ACTIVE | U.SEEN_WAITING);
    expect(rig.strikes).toBe(1);
  });

  it('are not forgiven by a pause of the worker', () => {
    const rig = new Rig({ retryMs: 10_000 });
    rig.silent().lasts();
    rig.turn(60_000, ACTIVE_WELL);
    expect(rig.strikes).toBe(1);
  });
});

describe('signs', () => {
  it('a wait that is half over is suspect, and no verdict', () => {
    const rig = new Rig().turn(1, U.SEEN_ACTIVE | U.SEEN_WAITING);
    expect({ verdict: rig.verdict, state: rig.get(R.D_STATE) }).toEqual({
      verdict: 0,
      state: R.STATE_SUSPECT,
    });
    expect(rig.turn(1, ACTIVE_WELL).get(R.D_STATE)).toBe(R.STATE_OK);
  });
});

describe('a later worker', () => {
  it('goes on with the rest of the suspicion', () => {
    const rig = new Rig({ strikes: 2 });
    U.hadFallenSilent(rig.records, rig.base, 500, rig.now);
    expect({ verdict: rig.verdict, strikes: rig.strikes }).toEqual({ verdict: CAUSE_UNANSWERED, strikes: 2 });
    expect(rig.lasts()).toBe(1500);
  });

  it('takes in what fell silent while nobody watched', () => {
    const rig = new Rig();
    U.hadFallenSilent(rig.records, rig.base, 100, rig.now);
    expect({ verdict: rig.verdict, strikes: rig.strikes }).toEqual({ verdict: CAUSE_UNANSWERED, strikes: 1 });
  });

  it('leaves alone what is long over', () => {
    const rig = new Rig();
    U.hadFallenSilent(rig.records, rig.base, 5000, rig.now);
    expect({ verdict: rig.verdict, strikes: rig.strikes }).toEqual({ verdict: 0, strikes: 0 });
  });
});

it('works across the clock’s wrap, and touches nothing beside its record', () => {
  const rig = new Rig({}, 2 ** 31 - 500);
  rig.silent();
  expect(rig.turn(999).verdict).toBe(CAUSE_UNANSWERED);
  expect(rig.turn(1).verdict).toBe(0);
  rig.well(5000);
  expect(rig.strikes).toBe(0);
  const others = [...rig.records.slice(0, rig.base), ...rig.records.slice(rig.base + R.DETECT_WORDS)];
  expect(others.every((word) => word === 0x5a5a5a5a)).toBe(true);
});
