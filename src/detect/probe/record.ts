/** The probes' own words of their records (../record.ts). */
import { D_OWN } from '../record.js';

/** Rounds in a row: unanswered, good, in which the path heard nothing of the other's. */
export const PR_MISSED = D_OWN;
export const PR_GOOD = D_OWN + 1;
export const PR_DEAF = D_OWN + 2;
/** The quickest target's smoothed round trip, µs; 0: none has answered yet. */
export const PR_RTT_US = D_OWN + 3;
/** Rounds that the path was excused from, and that pauses of ours made worthless. */
export const PR_EXCUSED = D_OWN + 4;
export const PR_VOIDED = D_OWN + 5;
/** Sends that the kernel refused. */
export const PR_UNSENT = D_OWN + 6;
/** How long it is until the path is asked for the first time, ms. */
export const PR_WAIT_MS = D_OWN + 7;
/** Rounds in which what the path received stood for answers. */
export const PR_CREDITED = D_OWN + 8;
