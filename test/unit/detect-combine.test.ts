import { beforeEach, describe, expect, it } from 'vitest';
import {
  allowedArms,
  COMBINE_ALL,
  COMBINE_ANY,
  combine,
  decides,
  provenAlive,
} from '../../src/detect/combine.js';
import * as R from '../../src/detect/record.js';
import { silentArms } from '../../src/detect/watched.js';
import * as P from '../../src/policy/evaluate.js';
import { CAUSE_BFD, CAUSE_PROBE, CAUSE_UNANSWERED, CAUSE_WITNESS } from '../../src/policy/evaluate.js';

const SLOT = 2;
let records: Int32Array;
beforeEach(() => {
  records = new Int32Array(4 * R.DETECT_SLOT_WORDS);
});

const say = (path: number, detector: number, state: number, verdict = 0, nowMs = 1): void =>
  R.setState(records, R.detectBase(SLOT, path, detector), state, verdict, nowMs);

describe('records', () => {
  it('have places of their own, within their slot', () => {
    const places = new Set<number>();
    for (const slot of [0, 1, 3])
      for (const path of [0, 1])
        for (let d = 0; d < R.DETECTORS.length; d++) {
          const base = R.detectBase(slot, path, d);
          expect(base).toBeGreaterThanOrEqual(slot * R.DETECT_SLOT_WORDS);
          expect(base + R.DETECT_WORDS).toBeLessThanOrEqual((slot + 1) * R.DETECT_SLOT_WORDS);
          for (let w = 0; w < R.DETECT_WORDS; w++) places.add(base + w);
        }
    expect(places.size).toBe(3 * 2 * R.DETECTORS.length * R.DETECT_WORDS);
  });

  it('say when their state last changed, and count verdicts', () => {
    const base = R.detectBase(SLOT, 0, R.PROBE);
    say(0, R.PROBE, R.STATE_OK, 0, 10);
    say(0, R.PROBE, R.STATE_OK, 0, 20);
    expect(records[base + R.D_SINCE_MS]).toBe(10);
    say(0, R.PROBE, R.STATE_DOWN, CAUSE_PROBE, 30);
    say(0, R.PROBE, R.STATE_DOWN, CAUSE_PROBE, 40);
    expect({ sinceMs: records[base + R.D_SINCE_MS], changes: records[base + R.D_CHANGES] }).toEqual({
      sinceMs: 30,
      changes: 1,
    });
    say(0, R.PROBE, R.STATE_OK, 0, 50);
    expect(records[base + R.D_CHANGES]).toBe(2);
  });
});

describe('combining', () => {
  it('has nothing against a path that nobody watches', () => {
    expect(combine(records, SLOT, 0, COMBINE_ANY)).toBe(0);
    expect(combine(records, SLOT, 0, COMBINE_ALL)).toBe(0);
  });

  it('any: one verdict is enough; the first detector’s is told', () => {
    say(0, R.UNANSWERED, R.STATE_OK);
    say(0, R.BFD, R.STATE_DOWN, CAUSE_BFD);
    expect(combine(records, SLOT, 0, COMBINE_ANY)).toBe(CAUSE_BFD);
    say(0, R.PROBE, R.STATE_DOWN, CAUSE_PROBE);
    expect(combine(records, SLOT, 0, COMBINE_ANY)).toBe(CAUSE_PROBE);
    expect(combine(records, SLOT, 1, COMBINE_ANY)).toBe(0);
    expect(combine(records, SLOT + 1, 0, COMBINE_ANY)).toBe(0);
  });

  it('all: those that watch must agree; those that are off are not asked', () => {
    say(1, R.UNANSWERED, R.STATE_DOWN, CAUSE_UNANSWERED);
    expect(combine(records, SLOT, 1, COMBINE_ALL)).toBe(CAUSE_UNANSWERED);
    say(1, R.PROBE, R.STATE_SUSPECT);
    expect(combine(records, SLOT, 1, COMBINE_ALL)).toBe(0);
    say(1, R.PROBE, R.STATE_DOWN, CAUSE_PROBE);
    expect(combine(records, SLOT, 1, COMBINE_ALL)).toBe(CAUSE_UNANSWERED);
  });

  it('tier 0 may act on a verdict that would decide', () => {
    say(0, R.UNANSWERED, R.STATE_OK);
    say(0, R.PROBE, R.STATE_OK);
    expect(decides(records, SLOT, 0, COMBINE_ANY, R.UNANSWERED)).toBe(true);
    expect(decides(records, SLOT, 0, COMBINE_ALL, R.UNANSWERED)).toBe(false);
    say(0, R.PROBE, R.STATE_DOWN, CAUSE_PROBE);
    expect(decides(records, SLOT, 0, COMBINE_ALL, R.UNANSWERED)).toBe(true);
  });
});

describe('what the programs may do by themselves', () => {
  const CARRIER = P.ARM_TO_STANDBY | P.ARM_TO_PRIMARY;
  const ALL = CARRIER | P.ARM_SILENT_TO_STANDBY | P.ARM_SILENT_TO_PRIMARY;
  const BFD = P.ARM_BFD_TO_STANDBY | P.ARM_BFD_TO_PRIMARY;
  const of = (mode: number, arms: number = ALL, watched = ALL | BFD) =>
    allowedArms(records, SLOT, mode, arms, watched);

  it('any: what the policy allows, whichever detector it is', () => {
    say(0, R.UNANSWERED, R.STATE_OK);
    expect(of(COMBINE_ANY)).toBe(ALL | BFD);
    expect(of(COMBINE_ANY, CARRIER)).toBe(CARRIER);
    expect(of(COMBINE_ANY, P.ARM_SILENT_TO_PRIMARY)).toBe(P.ARM_SILENT_TO_PRIMARY | P.ARM_BFD_TO_PRIMARY);
  });

  it('nothing for a silent path on which none of them watches', () => {
    const both = { slaves: ['primary', 'standby'] } as const;
    const primary = { slaves: ['primary'] } as const;
    const standby = { slaves: ['standby'] } as const;
    expect(silentArms({})).toBe(0);
    expect(silentArms({ unanswered: both, bfd: both })).toBe((ALL | BFD) & ~CARRIER);
    expect(silentArms({ unanswered: primary })).toBe(P.ARM_SILENT_TO_STANDBY);
    expect(silentArms({ unanswered: primary, probes: standby })).toBe(ALL & ~CARRIER);
    expect(silentArms({ probes: standby, bfd: primary })).toBe(
      P.ARM_SILENT_TO_PRIMARY | P.ARM_BFD_TO_STANDBY,
    );
    say(0, R.UNANSWERED, R.STATE_OK);
    const watched = silentArms({ unanswered: primary });
    for (const mode of [COMBINE_ANY, COMBINE_ALL])
      expect(of(mode, ALL, watched)).toBe(CARRIER | P.ARM_SILENT_TO_STANDBY);
  });

  it('all: BFD, once the others have their verdict, and they, once BFD has', () => {
    say(0, R.WITNESS, R.STATE_OK);
    say(0, R.BFD, R.STATE_OK);
    const standby = P.ARM_SILENT_TO_STANDBY | P.ARM_BFD_TO_STANDBY;
    expect(of(COMBINE_ALL) & standby).toBe(0);
    say(0, R.WITNESS, R.STATE_DOWN, CAUSE_WITNESS);
    expect(of(COMBINE_ALL) & standby).toBe(P.ARM_BFD_TO_STANDBY);
    expect(of(COMBINE_ALL, CARRIER)).toBe(CARRIER);
    say(0, R.UNANSWERED, R.STATE_OK);
    expect(of(COMBINE_ALL) & standby).toBe(0);
    say(0, R.BFD, R.STATE_DOWN, CAUSE_BFD);
    expect(of(COMBINE_ALL) & standby).toBe(P.ARM_SILENT_TO_STANDBY);
    // Of the other path only.
    expect(of(COMBINE_ALL) & CARRIER).toBe(CARRIER);
    expect(of(COMBINE_ALL) & (P.ARM_SILENT_TO_PRIMARY | P.ARM_BFD_TO_PRIMARY)).toBe(
      P.ARM_SILENT_TO_PRIMARY | P.ARM_BFD_TO_PRIMARY,
    );
  });

  it('all: alone it decides', () => {
    say(0, R.BFD, R.STATE_OK);
    expect(of(COMBINE_ALL) & P.ARM_BFD_TO_STANDBY).toBe(P.ARM_BFD_TO_STANDBY);
  });
});

describe('proof that a path lives', () => {
  const proof = (detector: number, ms: number): void => {
    records[R.detectBase(SLOT, 0, detector) + R.D_PROOF_MS] = ms;
  };

  it('is an answer to another detector that is content, later than the time in question', () => {
    say(0, R.PROBE, R.STATE_OK);
    expect(provenAlive(records, SLOT, 0, R.UNANSWERED, -5)).toBe(false);
    proof(R.PROBE, 100);
    expect(provenAlive(records, SLOT, 0, R.UNANSWERED, 99)).toBe(true);
    expect(provenAlive(records, SLOT, 0, R.UNANSWERED, 100)).toBe(false);
    expect(provenAlive(records, SLOT, 0, R.PROBE, 99)).toBe(false);
    say(0, R.PROBE, R.STATE_SUSPECT);
    expect(provenAlive(records, SLOT, 0, R.UNANSWERED, 99)).toBe(false);
  });

  it('survives the clock’s wrap', () => {
    say(0, R.BFD, R.STATE_OK);
    proof(R.BFD, -(2 ** 31) + 5);
    expect(provenAlive(records, SLOT, 0, R.UNANSWERED, 2 ** 31 - 5)).toBe(true);
  });
});
