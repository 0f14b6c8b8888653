/**
 * Flap damping with exponential decay, after RFC 2439 (figure of merit). Each flap costs FLAP_PENALTY, and the penalty halves every
 * half-life. A slave is suppressed at the suppress threshold, and free again at the reuse threshold. The RFC has a ceiling. Here it is the
 * penalty that decays to the reuse threshold in the longest time allowed.
 *
 * The record keeps the moment at which a penalty will have decayed to the reuse threshold. So a turn compares two times, and only a flap
 * computes powers.
 */
import {
  FLAG_CHARGED,
  FLAG_PENALISED,
  FLAG_SUPPRESSED,
  P_FLAGS,
  P_HALF_LIFE_MS,
  P_MAX_SUPPRESS_MS,
  P_REUSE_AT_PRIMARY,
  P_THRESHOLDS,
} from './record.js';

/** Penalty for one flap. */
export const FLAP_PENALTY = 1000 as const;
/** Half-lives after the reuse threshold until a penalty is forgotten. 1/1024 of the threshold is left by then. */
const FORGET = 10;

/** Charges a slave for a flap, once per flap (FLAG_CHARGED). */
export function charge(state: Int32Array, base: number, path: number, nowMs: number): void {
  const flags = state[base + P_FLAGS]!;
  if ((flags & (FLAG_CHARGED << path)) !== 0) return;
  state[base + P_FLAGS] = flags | (FLAG_CHARGED << path);
  penalise(state, base, path, nowMs);
}

/** Adds a penalty, and suppresses the slave if the sum reaches the threshold. Does nothing where damping is off. */
export function penalise(state: Int32Array, base: number, path: number, nowMs: number): void {
  const half = state[base + P_HALF_LIFE_MS]!;
  if (half <= 0) return;
  const thresholds = state[base + P_THRESHOLDS]!;
  const reuse = thresholds & 0xffff;
  const sum = penaltyOf(state, base, path, nowMs) + FLAP_PENALTY;
  const longest = state[base + P_MAX_SUPPRESS_MS]!;
  const left = Math.min(longest, Math.round(half * Math.log2(sum / reuse)));
  state[base + P_REUSE_AT_PRIMARY + path] = (nowMs + left) | 0;
  const suppressed = sum >= thresholds >>> 16 && left > 0 ? FLAG_SUPPRESSED << path : 0;
  state[base + P_FLAGS] = state[base + P_FLAGS]! | (FLAG_PENALISED << path) | suppressed;
}

/** Lets the penalty decay. Called at every look with the record's flags, which it returns. */
export function cool(state: Int32Array, base: number, path: number, nowMs: number, flags: number): number {
  if ((flags & (FLAG_PENALISED << path)) === 0) return flags;
  const over = (nowMs - state[base + P_REUSE_AT_PRIMARY + path]!) | 0;
  // The moment is further ahead than it can have been set, so the clock has wrapped. Nobody has looked for weeks.
  const lost = over < -state[base + P_MAX_SUPPRESS_MS]!;
  if (over < 0 && !lost) return flags;
  const forgotten = lost || over >= FORGET * state[base + P_HALF_LIFE_MS]!;
  return flags & ~((forgotten ? FLAG_SUPPRESSED | FLAG_PENALISED : FLAG_SUPPRESSED) << path);
}

/** Returns the penalty now, or 0 without one. */
export function penaltyOf(state: Int32Array, base: number, path: number, nowMs: number): number {
  if ((state[base + P_FLAGS]! & (FLAG_PENALISED << path)) === 0) return 0;
  const over = (nowMs - state[base + P_REUSE_AT_PRIMARY + path]!) | 0;
  return (state[base + P_THRESHOLDS]! & 0xffff) * 2 ** (-over / state[base + P_HALF_LIFE_MS]!);
}

/** Bits of `penaltyBits`. */
export const PENALISED = 1 as const;
export const SUPPRESSED = 2 as const;

/** Returns the bits that must outlive the record beside P_REUSE_AT_*: whether the slave has a penalty, and is suppressed. */
export function penaltyBits(state: Int32Array, base: number, path: number): number {
  const flags = state[base + P_FLAGS]!;
  return (
    ((flags & (FLAG_PENALISED << path)) === 0 ? 0 : PENALISED) |
    ((flags & (FLAG_SUPPRESSED << path)) === 0 ? 0 : SUPPRESSED)
  );
}

/**
 * Gives a fresh record the penalty of an earlier one. Does nothing where damping is off. If the thresholds have changed, the time to the reuse
 * threshold stays, but is at most the longest one allowed.
 */
export function restorePenalty(
  state: Int32Array,
  base: number,
  path: number,
  kept: { bits: number; reuseAtMs: number; nowMs: number },
): void {
  const { bits, reuseAtMs, nowMs } = kept;
  if (state[base + P_HALF_LIFE_MS]! <= 0 || (bits & PENALISED) === 0) return;
  const left = Math.min(state[base + P_MAX_SUPPRESS_MS]!, (reuseAtMs - nowMs) | 0);
  state[base + P_REUSE_AT_PRIMARY + path] = (nowMs + left) | 0;
  const suppressed = (bits & SUPPRESSED) !== 0 && left > 0 ? FLAG_SUPPRESSED << path : 0;
  state[base + P_FLAGS] = state[base + P_FLAGS]! | (FLAG_PENALISED << path) | suppressed;
}

/** Returns how much longer the slave is suppressed, ms. 0 if it is not. */
export function suppressedMs(state: Int32Array, base: number, path: number, nowMs: number): number {
  if ((state[base + P_FLAGS]! & (FLAG_SUPPRESSED << path)) === 0) return 0;
  return Math.max(0, (state[base + P_REUSE_AT_PRIMARY + path]! - nowMs) | 0);
}
