/**
 * What a detector has to say of a path: a record of DETECT_WORDS int32 words per slot, path and detector, in memory that the decision
 * worker shares with the supervisor. The worker's detectors write them, the decision loop combines them, `status` reads them. The first
 * words are everybody's, the rest is the detector's own (`record.ts` or `state.ts` in its folder names them).
 *
 * Times are the policy's: int32 milliseconds of CLOCK_MONOTONIC that wrap, of which only differences are looked at.
 */
import { record } from '../record.js';

/** Detectors that there is room for; a power of two. */
export const DETECTORS_MAX = 8 as const;
/** Words of a record; a power of two. */
export const DETECT_WORDS = 16 as const;
/** Words of all records of a slot: [path][detector][word]. */
export const DETECT_SLOT_WORDS = 256 as const;

/** The words that every detector has. `own` is the first word that is the detector's own. */
export const {
  state: D_STATE,
  verdict: D_VERDICT,
  sinceMs: D_SINCE_MS,
  proofMs: D_PROOF_MS,
  changes: D_CHANGES,
  own: D_OWN,
} = record('detect', DETECT_WORDS, {
  /** STATE_*. */
  state: 1,
  /** CAUSE_* while the path is dead to this detector, else 0. */
  verdict: 1,
  /** When D_STATE last changed. */
  sinceMs: 1,
  /** When the path last proved that it lives, by an answer to a question that this detector asks by itself; 0: not yet. */
  proofMs: 1,
  /** Changes of D_VERDICT, wrapping. */
  changes: 1,
  /** The first word that is the detector's own. */
  own: 1,
});

/** Not configured, or nothing to watch on this path. */
export const STATE_OFF = 0 as const;
export const STATE_OK = 1 as const;
/** The first signs of a fault; no verdict yet. */
export const STATE_SUSPECT = 2 as const;
/** There is a verdict. */
export const STATE_DOWN = 3 as const;

/** Names of the states, by number. */
export const STATE_NAMES = ['off', 'ok', 'suspect', 'down'] as const;
export type DetectorState = (typeof STATE_NAMES)[number];

/** First word of a record. `detector` is its place in the table. */
export function detectBase(slot: number, path: number, detector: number): number {
  return (slot << 8) | (path << 7) | (detector << 4);
}

/** Writes state and verdict, and when they changed. */
export function setState(
  records: Int32Array,
  base: number,
  state: number,
  verdict: number,
  nowMs: number,
): void {
  if (records[base + D_STATE] !== state) {
    records[base + D_STATE] = state;
    records[base + D_SINCE_MS] = nowMs;
  }
  if (records[base + D_VERDICT] !== verdict) {
    records[base + D_VERDICT] = verdict;
    records[base + D_CHANGES] = (records[base + D_CHANGES]! + 1) | 0;
  }
}
