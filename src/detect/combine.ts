/**
 * What several detectors together say of a path. Pure, called for every path on every turn: nothing here allocates.
 */
import { VfArm } from '../../bpf/vfailover.bpf.js';
import {
  BFD,
  D_PROOF_MS,
  D_STATE,
  D_VERDICT,
  DETECT_WORDS,
  DETECTORS,
  detectBase,
  PROBE,
  STATE_OFF,
  STATE_OK,
  UNANSWERED,
} from './record.js';

const { VF_ARM_PRIMARY_BFD, VF_ARM_PRIMARY_SILENT, VF_ARM_STANDBY_BFD, VF_ARM_STANDBY_SILENT } = VfArm;

/** A path is dead if any detector says so, */
export const COMBINE_ANY = 0 as const;
/** or only if all do that watch it. */
export const COMBINE_ALL = 1 as const;

const COUNT = DETECTORS.length;

/** @returns CAUSE_* of the first detector that has a verdict, if that is enough; else 0 */
export function combine(records: Int32Array, slot: number, path: number, mode: number): number {
  let cause = 0;
  let base = detectBase(slot, path, 0);
  for (let d = 0; d < COUNT; d++, base += DETECT_WORDS) {
    if (records[base + D_STATE] === STATE_OFF) continue;
    const verdict = records[base + D_VERDICT]!;
    if (verdict === 0) {
      if (mode === COMBINE_ALL) return 0;
    } else if (cause === 0) cause = verdict;
  }
  return cause;
}

/** Whether any detector watches the path at present. */
export function isWatched(records: Int32Array, slot: number, path: number): boolean {
  for (let d = 0; d < COUNT; d++) if (records[detectBase(slot, path, d) + D_STATE] !== STATE_OFF) return true;
  return false;
}

/** Whether a verdict of `detector` would decide: alone, or since all others have theirs. Tier 0 may act on it then. */
export function decides(
  records: Int32Array,
  slot: number,
  path: number,
  mode: number,
  detector: number,
): boolean {
  if (mode !== COMBINE_ALL) return true;
  for (let d = 0; d < COUNT; d++) {
    const base = detectBase(slot, path, d);
    if (d !== detector && records[base + D_STATE] !== STATE_OFF && records[base + D_VERDICT] === 0)
      return false;
  }
  return true;
}

const SILENT = VF_ARM_PRIMARY_SILENT | VF_ARM_STANDBY_SILENT;

/**
 * Which of the fallbacks that the policy allows (VfArm) the programs may make: for a silent path only by the detector whose verdict would
 * decide. The watchdog and the probes share a bit, which stands for the watchdog where there is one; BFD has its own.
 * @param watched those of the fallbacks for a silent path on which one of these watches
 */
export function allowedArms(
  records: Int32Array,
  slot: number,
  mode: number,
  arms: number,
  watched: number,
): number {
  let bits = 0;
  for (let path = 0; path < 2; path++) {
    const silent = path === 0 ? VF_ARM_PRIMARY_SILENT : VF_ARM_STANDBY_SILENT;
    if ((arms & silent) === 0) continue;
    const watchdog = records[detectBase(slot, path, UNANSWERED) + D_STATE] !== STATE_OFF;
    if (decides(records, slot, path, mode, watchdog ? UNANSWERED : PROBE)) bits |= silent;
    if (decides(records, slot, path, mode, BFD)) bits |= path === 0 ? VF_ARM_PRIMARY_BFD : VF_ARM_STANDBY_BFD;
  }
  return (arms & ~SILENT) | (bits & watched);
}

/**
 * Whether another detector than `detector` has had an answer on the path after `sinceMs`, and is content with it: the path lives, whatever
 * `detector` thinks.
 */
export function provenAlive(
  records: Int32Array,
  slot: number,
  path: number,
  detector: number,
  sinceMs: number,
): boolean {
  for (let d = 0; d < COUNT; d++) {
    const base = detectBase(slot, path, d);
    const proof = records[base + D_PROOF_MS]!;
    if (d !== detector && records[base + D_STATE] === STATE_OK && proof !== 0 && ((proof - sinceMs) | 0) > 0)
      return true;
  }
  return false;
}
