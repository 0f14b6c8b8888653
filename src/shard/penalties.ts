import { WATCH, watchBase } from '../datapath/offsets.js';
import { penaltyBits, restorePenalty } from '../policy/damping.js';
import { P_REUSE_AT_PRIMARY, policyBase } from '../policy/evaluate.js';

/** Flap damping outlives workers and daemons: each path's penalty stands in the pinned map of watches, too. */

/** What an earlier worker kept, into a fresh record. */
export function recallPenalties(watches: Int32Array, policy: Int32Array, slot: number, nowMs: number): void {
  for (let path = 0; path < 2; path++) {
    const at = watchBase(slot, path);
    const kept = { bits: watches[at + WATCH.penalty]!, reuseAtMs: watches[at + WATCH.reuse_ms]!, nowMs };
    restorePenalty(policy, policyBase(slot), path, kept);
  }
}

/** Of every turn: two loads and a comparison for a path without a penalty. */
export function keepPenalties(watches: Int32Array, policy: Int32Array, slot: number): void {
  const record = policyBase(slot);
  for (let path = 0; path < 2; path++) {
    const at = watchBase(slot, path);
    const bits = penaltyBits(policy, record, path);
    if (bits !== 0) watches[at + WATCH.reuse_ms] = policy[record + P_REUSE_AT_PRIMARY + path]!;
    // Last: it says that the other is there.
    if (bits !== watches[at + WATCH.penalty]) Atomics.store(watches, at + WATCH.penalty, bits);
  }
}
