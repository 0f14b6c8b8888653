import { beforeEach, describe, expect, it } from 'vitest';
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { CombinedCarrier } from '../../src/detect/carrier.js';
import * as R from '../../src/detect/record.js';
import * as P from '../../src/policy/evaluate.js';
import { CAUSE_BFD, CAUSE_PROBE, LINK_ABSENT, LINK_CARRIER, LINK_UP } from '../../src/policy/evaluate.js';
import { NUMBER, verdictsOf } from '../helpers/detectors.js';

const UP = LINK_UP | LINK_CARRIER;
const [PRI, STB] = [0, 1] as const;
let records: Int32Array;
let carrier: CombinedCarrier;
beforeEach(() => {
  records = new Int32Array(R.DETECT_SLOT_WORDS);
  carrier = new CombinedCarrier(verdictsOf(records, 0, true));
});

const say = (path: number, detector: number, state: number, verdict = 0): void =>
  R.setState(records, R.detectBase(0, path, detector), state, verdict, 1);
const probeSays = (dead: boolean, path: number = PRI): void =>
  say(path, NUMBER.probe, dead ? R.STATE_DOWN : R.STATE_OK, dead ? CAUSE_PROBE : 0);
/** A turn over the primary, which is in use if not said otherwise. */
const turn = (link: number, active: number = PRI): number => {
  carrier.look(PRI, link, active);
  return carrier.judge(PRI);
};

describe('the slave in use', () => {
  it('is dead once carrier is lost and all that watch it agree, whoever was first', () => {
    probeSays(false);
    say(PRI, NUMBER.bfd, R.STATE_OK);
    expect(P.isHealthyLink(turn(UP))).toBe(true);
    const spared = turn(LINK_UP);
    expect({
      healthyLink: P.isHealthyLink(spared),
      carrier: P.hasCarrier(spared),
      spared: P.isSpared(spared),
    }).toEqual({ healthyLink: true, carrier: false, spared: true });
    probeSays(true);
    expect(P.isHealthyLink(turn(LINK_UP))).toBe(true);
    say(PRI, NUMBER.bfd, R.STATE_DOWN, CAUSE_BFD);
    expect(turn(LINK_UP)).toBe(LINK_UP);
    // With carrier the verdicts say nothing.
    expect(turn(UP)).toBe(UP);
    expect(turn(LINK_UP)).toBe(LINK_UP);
  });

  it('stays dead until its carrier is back, though verdicts end', () => {
    probeSays(true);
    expect(turn(LINK_UP)).toBe(LINK_UP);
    probeSays(false);
    expect(turn(LINK_UP)).toBe(LINK_UP);
    say(PRI, NUMBER.probe, R.STATE_OFF);
    expect(turn(LINK_UP)).toBe(LINK_UP);
    probeSays(false);
    expect(turn(UP)).toBe(UP);
    expect(P.isSpared(turn(LINK_UP))).toBe(true);
  });

  it('is judged by carrier alone where nobody watches it', () => {
    expect(turn(LINK_UP)).toBe(LINK_UP);
    probeSays(false, STB);
    expect(turn(LINK_UP)).toBe(LINK_UP);
  });

  it('is not spared when it is set down or gone', () => {
    probeSays(false);
    for (const link of [0, LINK_CARRIER, LINK_ABSENT]) expect(turn(link)).toBe(link);
  });

  it('is shown to the detectors with carrier', () => {
    expect(carrier.look(PRI, LINK_UP, PRI) & P.LINK_HEALTHY).toBe(P.LINK_HEALTHY);
    expect(carrier.look(STB, LINK_UP, PRI)).toBe(LINK_UP);
    expect(carrier.look(PRI, LINK_ABSENT, PRI)).toBe(LINK_ABSENT);
  });
});

it('a slave that is not in use has no use without carrier', () => {
  probeSays(false);
  expect(turn(LINK_UP, STB)).toBe(LINK_UP);
  probeSays(true);
  expect(turn(UP, STB)).toBe(UP);
});

describe('the programs', () => {
  const LOST = VfArm.VF_ARM_PRIMARY;
  const SILENT = VfArm.VF_ARM_PRIMARY_SILENT | VfArm.VF_ARM_PRIMARY_BFD;
  const of = (link: number): number => {
    turn(link);
    return carrier.allowed(LOST | SILENT);
  };

  it('leave a path for its carrier only when that is the last to say so, for a verdict only without carrier', () => {
    probeSays(false);
    expect(of(UP)).toBe(0);
    expect(of(LINK_UP)).toBe(SILENT);
    probeSays(true);
    expect(of(UP)).toBe(LOST);
    expect(carrier.allowed(0)).toBe(0);
  });

  it('leave one that nobody watches for its carrier', () => {
    expect(of(UP)).toBe(LOST);
  });
});
