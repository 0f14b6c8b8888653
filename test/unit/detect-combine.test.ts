import { beforeEach, describe, expect, it } from 'vitest';
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { Arms } from '../../src/detect/arms.js';
import { Verdicts } from '../../src/detect/combine.js';
import * as R from '../../src/detect/record.js';
import { configured, detectSchema } from '../../src/detect/section.js';
import { ROWS } from '../../src/detect/table.js';
import { CAUSE_BFD, CAUSE_PROBE, CAUSE_UNANSWERED, CAUSE_WITNESS } from '../../src/policy/evaluate.js';
import { NUMBER, verdictsOf } from '../helpers/detectors.js';

const SLOT = 2;
const [ANY, ALL_OF_THEM] = [false, true];
let records: Int32Array;
beforeEach(() => {
  records = new Int32Array(4 * R.DETECT_SLOT_WORDS);
});

const say = (path: number, detector: number, state: number, verdict = 0, nowMs = 1): void =>
  R.setState(records, R.detectBase(SLOT, path, detector), state, verdict, nowMs);

/** First word of a detector's record of the primary. */
const own = (detector: number): number => R.detectBase(SLOT, 0, detector);

describe('records', () => {
  it('have places of their own, within their slot', () => {
    const places = new Set<number>();
    for (const slot of [0, 1, 3])
      for (const path of [0, 1])
        for (let d = 0; d < ROWS.length; d++) {
          const base = R.detectBase(slot, path, d);
          expect(base).toBeGreaterThanOrEqual(slot * R.DETECT_SLOT_WORDS);
          expect(base + R.DETECT_WORDS).toBeLessThanOrEqual((slot + 1) * R.DETECT_SLOT_WORDS);
          for (let w = 0; w < R.DETECT_WORDS; w++) places.add(base + w);
        }
    expect(places.size).toBe(3 * 2 * ROWS.length * R.DETECT_WORDS);
  });

  it('say when their state last changed, and count verdicts', () => {
    const base = R.detectBase(SLOT, 0, NUMBER.probe);
    say(0, NUMBER.probe, R.STATE_OK, 0, 10);
    say(0, NUMBER.probe, R.STATE_OK, 0, 20);
    expect(records[base + R.D_SINCE_MS]).toBe(10);
    say(0, NUMBER.probe, R.STATE_DOWN, CAUSE_PROBE, 30);
    say(0, NUMBER.probe, R.STATE_DOWN, CAUSE_PROBE, 40);
    expect({ sinceMs: records[base + R.D_SINCE_MS], changes: records[base + R.D_CHANGES] }).toEqual({
      sinceMs: 30,
      changes: 1,
    });
    say(0, NUMBER.probe, R.STATE_OK, 0, 50);
    expect(records[base + R.D_CHANGES]).toBe(2);
  });
});

describe('combining', () => {
  it('has nothing against a path that nobody watches', () => {
    expect(verdictsOf(records, SLOT).combine(0)).toBe(0);
    expect(verdictsOf(records, SLOT, true).combine(0)).toBe(0);
  });

  it('any: one verdict is enough; the first detector’s is told', () => {
    say(0, NUMBER.unanswered, R.STATE_OK);
    say(0, NUMBER.bfd, R.STATE_DOWN, CAUSE_BFD);
    expect(verdictsOf(records, SLOT).combine(0)).toBe(CAUSE_BFD);
    say(0, NUMBER.probe, R.STATE_DOWN, CAUSE_PROBE);
    expect(verdictsOf(records, SLOT).combine(0)).toBe(CAUSE_PROBE);
    expect(verdictsOf(records, SLOT).combine(1)).toBe(0);
    expect(verdictsOf(records, SLOT + 1).combine(0)).toBe(0);
  });

  it('all: those that watch must agree; those that are off are not asked', () => {
    say(1, NUMBER.unanswered, R.STATE_DOWN, CAUSE_UNANSWERED);
    expect(verdictsOf(records, SLOT, true).combine(1)).toBe(CAUSE_UNANSWERED);
    say(1, NUMBER.probe, R.STATE_SUSPECT);
    expect(verdictsOf(records, SLOT, true).combine(1)).toBe(0);
    say(1, NUMBER.probe, R.STATE_DOWN, CAUSE_PROBE);
    expect(verdictsOf(records, SLOT, true).combine(1)).toBe(CAUSE_UNANSWERED);
  });

  it('tier 0 may act on a verdict that would decide', () => {
    say(0, NUMBER.unanswered, R.STATE_OK);
    say(0, NUMBER.probe, R.STATE_OK);
    expect(verdictsOf(records, SLOT).decides(0, own(NUMBER.unanswered))).toBe(true);
    expect(verdictsOf(records, SLOT, true).decides(0, own(NUMBER.unanswered))).toBe(false);
    say(0, NUMBER.probe, R.STATE_DOWN, CAUSE_PROBE);
    expect(verdictsOf(records, SLOT, true).decides(0, own(NUMBER.unanswered))).toBe(true);
  });
});

describe('what the programs may do by themselves', () => {
  const CARRIER = VfArm.VF_ARM_PRIMARY | VfArm.VF_ARM_STANDBY;
  const ALL = CARRIER | VfArm.VF_ARM_PRIMARY_SILENT | VfArm.VF_ARM_STANDBY_SILENT;
  const BFD = VfArm.VF_ARM_PRIMARY_BFD | VfArm.VF_ARM_STANDBY_BFD;
  const peer = { peer: '10.0.0.1', local: '10.0.0.2' };
  const targets = [{ arp: '10.0.0.1' }];
  const EVERY = { unanswered: {}, witness: {}, probes: { targets }, bfd: peer };
  const of = (all: boolean, arms: number = ALL, detect: object = EVERY) => {
    const list = configured(detectSchema.parse(detect));
    const numbers = list.map((d) => d.number);
    return new Arms(new Verdicts(records, SLOT, all, numbers), SLOT, list).allowed(arms);
  };

  it('any: what the policy allows, whichever detector it is', () => {
    say(0, NUMBER.unanswered, R.STATE_OK);
    expect(of(ANY)).toBe(ALL | BFD);
    expect(of(ANY, CARRIER)).toBe(CARRIER);
    expect(of(ANY, VfArm.VF_ARM_STANDBY_SILENT)).toBe(VfArm.VF_ARM_STANDBY_SILENT | VfArm.VF_ARM_STANDBY_BFD);
  });

  it('nothing for a silent path on which none of them watches', () => {
    const [primary, standby] = [{ slaves: ['primary'] }, { slaves: ['standby'] }];
    for (const all of [ANY, ALL_OF_THEM]) {
      expect(of(all, ALL, {})).toBe(CARRIER);
      expect(of(all, ALL, { witness: {} })).toBe(CARRIER);
      expect(of(all, ALL, { unanswered: {}, bfd: peer })).toBe(ALL | BFD);
      expect(of(all, ALL, { unanswered: primary })).toBe(CARRIER | VfArm.VF_ARM_PRIMARY_SILENT);
      expect(of(all, ALL, { unanswered: primary, probes: { targets, ...standby } })).toBe(ALL);
      expect(of(all, ALL, { probes: { targets, ...standby }, bfd: { ...peer, ...primary } })).toBe(
        CARRIER | VfArm.VF_ARM_STANDBY_SILENT | VfArm.VF_ARM_PRIMARY_BFD,
      );
    }
    say(0, NUMBER.unanswered, R.STATE_OK);
    for (const all of [ANY, ALL_OF_THEM])
      expect(of(all, ALL, { unanswered: primary })).toBe(CARRIER | VfArm.VF_ARM_PRIMARY_SILENT);
  });

  it('all: the bit that watchdog and probes share stands for the watchdog while it watches', () => {
    const detect = { unanswered: {}, probes: { targets } };
    say(0, NUMBER.unanswered, R.STATE_OK);
    say(0, NUMBER.probe, R.STATE_DOWN, CAUSE_PROBE);
    const silent = VfArm.VF_ARM_PRIMARY_SILENT;
    expect(of(ALL_OF_THEM, ALL, detect) & silent).toBe(silent);
    say(0, NUMBER.unanswered, R.STATE_DOWN, CAUSE_UNANSWERED);
    say(0, NUMBER.probe, R.STATE_OK);
    expect(of(ALL_OF_THEM, ALL, detect) & silent).toBe(0);
    say(0, NUMBER.unanswered, R.STATE_OFF);
    expect(of(ALL_OF_THEM, ALL, detect) & silent).toBe(silent);
  });

  it('all: BFD, once the others have their verdict, and they, once BFD has', () => {
    say(0, NUMBER.witness, R.STATE_OK);
    say(0, NUMBER.bfd, R.STATE_OK);
    const standby = VfArm.VF_ARM_PRIMARY_SILENT | VfArm.VF_ARM_PRIMARY_BFD;
    expect(of(ALL_OF_THEM) & standby).toBe(0);
    say(0, NUMBER.witness, R.STATE_DOWN, CAUSE_WITNESS);
    expect(of(ALL_OF_THEM) & standby).toBe(VfArm.VF_ARM_PRIMARY_BFD);
    expect(of(ALL_OF_THEM, CARRIER)).toBe(CARRIER);
    say(0, NUMBER.unanswered, R.STATE_OK);
    expect(of(ALL_OF_THEM) & standby).toBe(0);
    say(0, NUMBER.bfd, R.STATE_DOWN, CAUSE_BFD);
    expect(of(ALL_OF_THEM) & standby).toBe(VfArm.VF_ARM_PRIMARY_SILENT);
    // Of the other path only.
    expect(of(ALL_OF_THEM) & CARRIER).toBe(CARRIER);
    expect(of(ALL_OF_THEM) & (VfArm.VF_ARM_STANDBY_SILENT | VfArm.VF_ARM_STANDBY_BFD)).toBe(
      VfArm.VF_ARM_STANDBY_SILENT | VfArm.VF_ARM_STANDBY_BFD,
    );
  });

  it('all: alone it decides', () => {
    say(0, NUMBER.bfd, R.STATE_OK);
    expect(of(ALL_OF_THEM) & VfArm.VF_ARM_PRIMARY_BFD).toBe(VfArm.VF_ARM_PRIMARY_BFD);
  });
});

describe('proof that a path lives', () => {
  const proof = (detector: number, ms: number): void => {
    records[own(detector) + R.D_PROOF_MS] = ms;
  };

  it('is an answer to another detector that is content, later than the time in question', () => {
    say(0, NUMBER.probe, R.STATE_OK);
    expect(verdictsOf(records, SLOT).provenAlive(0, own(NUMBER.unanswered), -5)).toBe(false);
    proof(NUMBER.probe, 100);
    expect(verdictsOf(records, SLOT).provenAlive(0, own(NUMBER.unanswered), 99)).toBe(true);
    expect(verdictsOf(records, SLOT).provenAlive(0, own(NUMBER.unanswered), 100)).toBe(false);
    expect(verdictsOf(records, SLOT).provenAlive(0, own(NUMBER.probe), 99)).toBe(false);
    say(0, NUMBER.probe, R.STATE_SUSPECT);
    expect(verdictsOf(records, SLOT).provenAlive(0, own(NUMBER.unanswered), 99)).toBe(false);
  });

  it('survives the clock’s wrap', () => {
    say(0, NUMBER.bfd, R.STATE_OK);
    proof(NUMBER.bfd, -(2 ** 31) + 5);
    expect(verdictsOf(records, SLOT).provenAlive(0, own(NUMBER.unanswered), 2 ** 31 - 5)).toBe(true);
  });
});
