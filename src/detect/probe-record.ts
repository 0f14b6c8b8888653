/** The detectors' own words of their records (record.ts). */
import { D_OWN } from './record.js';

/** Probes. Rounds in a row: unanswered, good, in which the path heard nothing of the other's. */
export const P_MISSED = D_OWN;
export const P_GOOD = D_OWN + 1;
export const P_DEAF = D_OWN + 2;
/** The quickest target's smoothed round trip, µs; 0: none has answered yet. */
export const P_RTT_US = D_OWN + 3;
/** Rounds that the path was excused from, and that pauses of ours made worthless. */
export const P_EXCUSED = D_OWN + 4;
export const P_VOIDED = D_OWN + 5;
/** Sends that the kernel refused. */
export const P_UNSENT = D_OWN + 6;

/** Witness. Frames missing; for how long, ms; frames received that count, up to as many as it takes. */
export const W_MISSING = D_OWN;
export const W_MISSING_MS = D_OWN + 1;
export const W_SEEN = D_OWN + 2;
