/** The witness's own words of its records (../record.ts). */
import { D_OWN } from '../record.js';

/** Frames missing; for how long, ms; frames received that count, up to as many as it takes. */
export const W_MISSING = D_OWN;
export const W_MISSING_MS = D_OWN + 1;
export const W_SEEN = D_OWN + 2;
