import { PacedSender } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import type { UnansweredConfig } from '../../src/config/index.js';
import { LINE, WATCH, WATCH_WORDS, watchBase } from '../../src/datapath/offsets.js';
import * as R from '../../src/detect/record.js';
import { UnansweredWatch } from '../../src/detect/unanswered/detector.js';
import { CAUSE_UNANSWERED, LINK_ABSENT, LINK_HEALTHY } from '../../src/policy/evaluate.js';
import { NUMBER, verdictsOf } from '../helpers/detectors.js';

/** The worker's half of the watchdog, over maps that the test writes as the programs would. */

const MS = 1e6;
const CONFIG: UnansweredConfig = {
  slaves: ['primary', 'standby'],
  timeout_us: 10_000,
  min_frames: 3,
  udp: false,
  retry_ms: 1000,
  retry_max_ms: 8000,
};

class Rig {
  readonly records = new Int32Array(R.DETECT_SLOT_WORDS);
  readonly lines = new Int32Array(64);
  readonly watches = new Int32Array(2 * WATCH_WORDS);
  readonly pacer = new PacedSender();
  readonly clock = new Float64Array([5e12]);
  readonly due = new Float64Array(1);
  readonly links = new Int32Array([LINK_HEALTHY, LINK_HEALTHY]);
  watch: UnansweredWatch;

  constructor(config: Partial<UnansweredConfig> = {}, before: (r: Rig) => void = () => {}) {
    before(this);
    this.watch = this.make(config);
  }

  make(config: Partial<UnansweredConfig> = {}): UnansweredWatch {
    const c = { ...CONFIG, ...config };
    return new UnansweredWatch(
      {
        slot: 0,
        bases: [0, 1].map((p) => R.detectBase(0, p, NUMBER.unanswered)) as [number, number],
        cause: CAUSE_UNANSWERED,
        records: this.records,
        verdicts: verdictsOf(this.records, 0),
        lines: this.lines,
        watches: this.watches,
        probes: new Int32Array(0),
        counters: new Int32Array(0),
        cpus: 1,
        pacer: this.pacer,
        clock: this.clock,
        due: this.due,
        links: this.links,
        bfd: new Int32Array(0),
        mac: new Uint8Array(6),
        deadlineFd: -1,
        prepared: undefined,
        dup: (fd) => fd,
      },
      c,
    );
  }

  get now(): number {
    return this.clock[0]!;
  }

  setNs(path: number, field: number, ns: number): void {
    this.watches[watchBase(0, path) + field] = ns | 0;
    this.watches[watchBase(0, path) + field + 1] = Math.floor(ns / 4294967296);
  }

  get(path: number, field: number): number {
    return this.watches[watchBase(0, path) + field]!;
  }

  /** The programs saw so many frames leave on the primary since `ns`, the last just now. */
  ask(since: number, frames: number, last = this.now): void {
    this.setNs(0, WATCH.since_ns, since);
    this.setNs(0, WATCH.last_tx_ns, last);
    this.watches[WATCH.unanswered] = frames;
    this.setNs(0, WATCH.soon_ns, since);
    this.watches[WATCH.soon] = frames;
    this.watches[WATCH.word] = this.lines[LINE.word]!;
  }

  /** Likewise frames that are merely acknowledged, but for `soon` of them, the first at `soonSince`. */
  send(since: number, frames: number, soon = 0, soonSince = since): void {
    this.ask(since, frames);
    this.watches[WATCH.soon] = soon;
    this.setNs(0, WATCH.soon_ns, soonSince);
  }

  /** Turns, one per step, until so much time has passed. */
  turns(ms: number, stepMs = 1, active = 0): void {
    for (let t = 0; t < ms; t += stepMs) {
      this.clock[0]! += stepMs * MS;
      this.turn(active);
    }
  }

  turn(active = 0): void {
    this.due[0] = Number.POSITIVE_INFINITY;
    this.watch.turn((this.now / MS) | 0, active);
  }

  state(path = 0): number {
    return this.records[R.detectBase(0, path, NUMBER.unanswered) + R.D_STATE]!;
  }

  get verdict(): number {
    return this.records[R.detectBase(0, 0, NUMBER.unanswered) + R.D_VERDICT]!;
  }
}

describe('a worker that begins', () => {
  it('sets the programs’ clock for both paths, also above 32 bits', () => {
    const rig = new Rig({ timeout_us: 10_000_000 });
    for (const path of [0, 1]) {
      const ns = rig.get(path, WATCH.timeout_ns + 1) * 4294967296 + (rig.get(path, WATCH.timeout_ns) >>> 0);
      expect({ ns, minFrames: rig.get(path, WATCH.min_frames) }).toEqual({ ns: 1e10, minFrames: 3 });
    }
  });

  it('and ends leaves the programs armed', () => {
    const rig = new Rig();
    rig.watch.close();
    expect(rig.get(0, WATCH.timeout_ns)).toBe(10 * MS);
  });

  it('takes in what fired before it came, and only that', () => {
    const rig = new Rig({}, (r) => {
      r.setNs(0, WATCH.fired_ns, r.now - 100 * MS);
      r.watches[WATCH.fired] = 7;
    });
    rig.turn(1);
    expect({ primary: rig.state(0), standby: rig.state(1) }).toEqual({
      primary: R.STATE_DOWN,
      standby: R.STATE_OK,
    });
    rig.turns(899, 1, 1);
    expect(rig.verdict).toBe(CAUSE_UNANSWERED);
    rig.turns(2, 1, 1);
    expect(rig.verdict).toBe(0);
  });

  it('goes on with the relapses that the last one had counted', () => {
    const rig = new Rig();
    for (let i = 1; i <= 3; i++) {
      rig.watches[WATCH.fired] = i;
      rig.turn(1);
      rig.turns(9000, 100, 1);
    }
    expect(rig.get(0, WATCH.relapses)).toBe(3);
    rig.watch = rig.make();
    rig.watches[WATCH.fired] = 4;
    rig.turn(1);
    rig.turns(7900, 100, 1);
    expect(rig.verdict).toBe(CAUSE_UNANSWERED);
  });
});

describe('a wait whose sender has stopped', () => {
  it('runs out, and is noted as the programs would', () => {
    const rig = new Rig();
    rig.ask(rig.now, 5);
    rig.turns(9);
    expect({ verdict: rig.verdict, state: rig.state() }).toEqual({ verdict: 0, state: R.STATE_SUSPECT });
    rig.turns(3);
    expect(rig.verdict).toBe(CAUSE_UNANSWERED);
    expect({ fired: rig.get(0, WATCH.fired), firedFrames: rig.get(0, WATCH.fired_frames) }).toEqual({
      fired: 1,
      firedFrames: 5,
    });
    expect(rig.watch.evidence(0)).toMatchObject({ facts: { frames: 5, timeout_us: 10_000 } });
    expect(rig.watch.evidence(1)).toBeNull();
    rig.turns(500);
    expect(rig.get(0, WATCH.fired)).toBe(1);
  });

  it('asks for its turn when it is half over, and not before', () => {
    const rig = new Rig();
    rig.ask(rig.now, 5);
    rig.turns(4);
    expect(rig.due[0]).toBe(Number.POSITIVE_INFINITY);
    rig.turns(2);
    expect(rig.due[0]).toBeLessThanOrEqual(rig.now + 10 * MS);
  });

  it('is nothing with too few frames, in another epoch, on the other path, or once answered', () => {
    const few = new Rig();
    few.ask(few.now, 2);
    few.turns(100);
    const old = new Rig();
    old.ask(old.now, 5);
    old.lines[LINE.word] = 0x10;
    old.turns(100);
    const other = new Rig();
    other.ask(other.now, 5);
    other.turns(100, 1, 1);
    const answered = new Rig();
    answered.ask(answered.now, 5);
    answered.turns(9);
    answered.setNs(0, WATCH.since_ns, 0);
    answered.turns(100);
    expect([few, old, other, answered].map((r) => r.verdict)).toEqual([0, 0, 0, 0]);
  });

  it('is left to the programs while frames leave', () => {
    const rig = new Rig();
    const since = rig.now;
    for (let i = 0; i < 30; i++) {
      rig.ask(since, 5 + i);
      rig.turns(1);
    }
    expect(rig.verdict).toBe(0);
  });
});

describe('what is merely acknowledged', () => {
  it('is waited for longer: 100 ms by default, or as configured', () => {
    const rig = new Rig();
    rig.send(rig.now, 5);
    rig.turns(98);
    expect(rig.verdict).toBe(0);
    rig.turns(3);
    expect(rig.verdict).toBe(CAUSE_UNANSWERED);
    expect(rig.get(0, WATCH.fired_frames)).toBe(5);
    const short = new Rig({ ack_timeout_us: 20_000 });
    short.send(short.now, 5);
    short.turns(18);
    expect(short.verdict).toBe(0);
    short.turns(3);
    expect(short.verdict).toBe(CAUSE_UNANSWERED);
    expect(new Rig({ timeout_us: 5_000_000 }).get(0, WATCH.ack_timeout_ns + 1)).toBe(1);
  });

  it('does not count towards what is due at once, nor keep it waiting', () => {
    const few = new Rig();
    few.send(few.now, 7, 2, few.now + 3 * MS);
    few.turns(90);
    expect(few.verdict).toBe(0);
    const enough = new Rig();
    enough.send(enough.now, 7, 3, enough.now + 3 * MS);
    enough.turns(12);
    expect(enough.verdict).toBe(0);
    enough.turns(3);
    expect(enough.verdict).toBe(CAUSE_UNANSWERED);
    expect(enough.get(0, WATCH.fired_frames)).toBe(3);
  });
});

describe('our own pause', () => {
  it('is not the path’s silence: a wait first seen when it has run out does not count', () => {
    const rig = new Rig();
    rig.ask(rig.now, 5);
    rig.turns(200, 200);
    expect(rig.verdict).toBe(0);
    // The frames that came meanwhile are taken in now.
    rig.setNs(0, WATCH.since_ns, 0);
    rig.turns(100);
    expect(rig.verdict).toBe(0);
  });

  it('nor one that was seen half over, but long ago', () => {
    const rig = new Rig();
    rig.ask(rig.now, 5);
    rig.turns(6);
    rig.turns(500, 500);
    expect(rig.verdict).toBe(0);
    // Silent still: that was no pause of ours.
    rig.turns(10);
    expect(rig.verdict).toBe(CAUSE_UNANSWERED);
  });
});

it('another detector’s proof ends the suspicion', () => {
  const rig = new Rig();
  rig.watches[WATCH.fired] = 1;
  rig.turn(1);
  expect(rig.verdict).toBe(CAUSE_UNANSWERED);
  const probe = R.detectBase(0, 0, NUMBER.probe);
  rig.records[probe + R.D_STATE] = R.STATE_OK;
  rig.records[probe + R.D_PROOF_MS] = ((rig.now / MS) | 0) + 5;
  rig.turns(10, 10, 1);
  expect(rig.verdict).toBe(0);
});

it('a device that is gone takes its suspicion and its relapses with it', () => {
  const rig = new Rig();
  rig.watches[WATCH.fired] = 1;
  rig.turn(1);
  rig.links[0] = LINK_ABSENT;
  rig.turns(1, 1, 1);
  expect({ verdict: rig.verdict, state: rig.state(), relapses: rig.get(0, WATCH.relapses) }).toEqual({
    verdict: 0,
    state: R.STATE_OFF,
    relapses: 0,
  });
  rig.links[0] = LINK_HEALTHY;
  rig.turns(1, 1, 1);
  expect({ verdict: rig.verdict, state: rig.state() }).toEqual({ verdict: 0, state: R.STATE_OK });
});

it('a path that is not watched has no timeout left for the programs, and no verdict', () => {
  const rig = new Rig({ slaves: ['standby'] }, (r) => {
    r.watches[WATCH.timeout_ns] = 10 * MS;
    r.watches[WATCH.fired] = 1;
    r.setNs(0, WATCH.fired_ns, r.clock[0]! - MS);
  });
  expect([rig.get(0, WATCH.timeout_ns), rig.get(1, WATCH.timeout_ns)]).toEqual([0, 10 * MS]);
  rig.ask(rig.now, 5);
  rig.watches[WATCH.fired] = 2;
  rig.turns(30);
  expect({ verdict: rig.verdict, state: rig.state() }).toEqual({ verdict: 0, state: R.STATE_OFF });
});
