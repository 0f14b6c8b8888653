/**
 * The steering policy: decides which slave of an instance should be active. The decision worker calls it for every instance on every turn.
 * All state therefore lies in one Int32Array (`record.ts`). Nothing here allocates, makes closures or leaves the int32 range.
 *
 * Call `evaluate` at least every 24 days, or hold-downs start again.
 */
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { PRIMARY, STANDBY } from '../device.js';
import { charge, cool, penalise } from './damping.js';
import {
  CAUSE_ADMIN_DOWN,
  CAUSE_CARRIER,
  CAUSE_FAILBACK,
  CAUSE_JOIN,
  CAUSE_LATENCY,
  CAUSE_MAINTENANCE,
  CAUSE_MANUAL,
  CAUSE_NO_PATH,
  CAUSE_NONE,
  CAUSE_UNPLUG,
  CHOICE_FASTER,
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  FLAG_CHARGED,
  FLAG_DEAD,
  FLAG_FASTER,
  FLAG_FASTER_HELD,
  FLAG_FRESH,
  FLAG_HEALTHY,
  FLAG_ORDER_SHIFT,
  FLAG_OVERRIDE_LOST,
  FLAG_RECALLED,
  FLAG_SETTLED,
  FLAG_UP,
  inMaintenance,
  isHealthy,
  isHealthyLink,
  isSuppressed,
  LINK_CARRIER,
  LINK_UP,
  NO_PATH,
  orderBits,
  P_ACTIVE,
  P_CAUSE,
  P_DESIRED,
  P_DOWN_DELAY_MS,
  P_FASTER_SINCE,
  P_FLAGS,
  P_HOLD_DOWN_MS,
  P_LINK_PRIMARY,
  P_MARGIN,
  P_OVERRIDE,
  P_PREFER,
  P_PROBES_PRIMARY,
  P_PROVEN_PRIMARY,
  P_RTT_PRIMARY,
  P_RULES,
  P_SINCE_PRIMARY,
  P_SPEED_PRIMARY,
  P_SWITCHED_AT,
  P_SWITCHES,
  P_UP_DELAY_MS,
  RANK_NO_CARRIER,
  RESELECT_BETTER,
  RESELECT_FAILURE,
  rank,
  verdictOf,
} from './record.js';

export * from './record.js';

const { VF_ARM_PRIMARY, VF_ARM_PRIMARY_SILENT, VF_ARM_STANDBY, VF_ARM_STANDBY_SILENT } = VfArm;

/**
 * Decides. Reads the inputs, advances the timers, writes P_DESIRED and P_CAUSE.
 * @returns the slave that should be active, 0 or 1. If it is not P_ACTIVE, flip, then call `accept`.
 *
 * - A dead active slave is left at once if the other one is healthy. The other need not have been healthy for any time (bonding skips
 *   updelay without an active slave). It may even be suppressed or in maintenance, because an outage would be worse.
 * - A slave in maintenance is left as soon as the other is healthy.
 * - An override is honoured at once if its slave is up. If not, the instance falls back to the other slave, sets FLAG_OVERRIDE_LOST, and
 *   returns once the ordered slave is ready.
 * - Any other switch is voluntary, and goes to a slave that is *ready* only. A ready slave is up, not suppressed, and has been healthy for
 *   the hold-down time and the probes asked for.
 */
export function evaluate(state: Int32Array, base: number, nowMs: number): number {
  track(state, base, PRIMARY, nowMs);
  track(state, base, STANDBY, nowMs);
  const active = state[base + P_ACTIVE]!;
  const wish = wishOf(state, base);
  if (active !== PRIMARY && active !== STANDBY) return first(state, base, wish);
  const other = active ^ 1;
  compareLatency(state, base, other, nowMs);
  const otherHealthy = (state[base + P_FLAGS]! & (FLAG_HEALTHY << other)) !== 0;
  recall(state, base, active, otherHealthy);
  const flags = state[base + P_FLAGS]!;
  if ((flags & (FLAG_DEAD << active)) !== 0) {
    if (otherHealthy) return decide(state, base, other, lossCause(state, base, active, other));
    const better = rank(state, base, other) > rank(state, base, active);
    return decide(state, base, better ? other : active, CAUSE_NO_PATH);
  }
  if (!otherHealthy) return decide(state, base, active, CAUSE_NONE);
  const cause = will(state, base, active, other, wish);
  return decide(state, base, cause === CAUSE_NONE ? active : other, cause);
}

/** Cause for leaving a live active slave for another healthy one, or CAUSE_NONE. */
function will(state: Int32Array, base: number, active: number, other: number, wish: number): number {
  const flags = state[base + P_FLAGS]!;
  const ready = isReady(state, base, other);
  if (inMaintenance(state, base, active)) {
    return ready || (flags & FLAG_RECALLED) === 0 ? CAUSE_MAINTENANCE : CAUSE_NONE;
  }
  const order = orderOf(state, base);
  if (order === other) {
    const obey = ready || (flags & (FLAG_OVERRIDE_LOST | (FLAG_UP << other))) === FLAG_UP << other;
    return obey ? CAUSE_MANUAL : CAUSE_NONE;
  }
  if (order === active || !ready || inMaintenance(state, base, other)) return CAUSE_NONE;
  if (state[base + P_PREFER] === CHOICE_FASTER) {
    return (flags & FLAG_FASTER_HELD) !== 0 ? CAUSE_LATENCY : CAUSE_NONE;
  }
  if (wish !== other) return CAUSE_NONE;
  // As in bonding, a new slave becomes active whatever primary_reselect says.
  if (isFresh(state, base, other)) return CAUSE_JOIN;
  return reselects(state, base, active, other) ? CAUSE_FAILBACK : CAUSE_NONE;
}

/**
 * Takes in that `path` is active now, by a flip of the worker or one of tier 0 that the worker noticed. A move that was not desired means that
 * the slave that was left failed unseen, perhaps too briefly for a look. Its hold-down starts again, or the next `evaluate` would go straight
 * back. The failure counts as a flap.
 */
export function accept(state: Int32Array, base: number, path: number, nowMs: number): void {
  const was = state[base + P_ACTIVE]!;
  // A slave that has become active counts as up even before its up delay ends, since it was the only choice.
  let flags = (state[base + P_FLAGS]! & ~(FLAG_FRESH << path)) | (FLAG_UP << path);
  const unseen = path !== was && path !== state[base + P_DESIRED] && was >= 0;
  if (path !== was) {
    state[base + P_ACTIVE] = path;
    state[base + P_SWITCHED_AT] = nowMs;
    state[base + P_SWITCHES] = (state[base + P_SWITCHES]! + 1) | 0;
    flags &= ~(FLAG_FASTER | FLAG_FASTER_HELD);
    if (unseen) {
      flags &= ~(FLAG_SETTLED << was);
      state[base + P_SINCE_PRIMARY + was] = nowMs;
      restartProof(state, base, was);
      if (state[base + P_OVERRIDE] === was + 1) flags |= FLAG_OVERRIDE_LOST;
    }
  }
  if (state[base + P_OVERRIDE] === path + 1) flags &= ~FLAG_OVERRIDE_LOST;
  state[base + P_FLAGS] = flags;
  if (unseen) charge(state, base, was, nowMs);
  // A slave that is slow every now and then is charged as one that flaps.
  else if (path !== was && was >= 0 && state[base + P_CAUSE] === CAUSE_LATENCY) {
    penalise(state, base, was, nowMs);
  }
  state[base + P_DESIRED] = path;
}

/**
 * Which fallbacks tier 0 may execute on its own: VF_ARM_PRIMARY, if the primary loses carrier;
 * VF_ARM_STANDBY, the reverse; VF_ARM_*_SILENT, if a detector finds the path dead whose link is up. Only those
 * that `evaluate` would decide at once in that case: the other path is healthy now, or for a lost link at least
 * has one, and no down delay is set. An override forbids none, since it is itself given up when its path dies.
 * Never to a path that is suppressed or in maintenance: that is a last resort, which the worker alone takes.
 */
export function armedFallbacks(state: Int32Array, base: number): number {
  if (state[base + P_DOWN_DELAY_MS]! > 0) return 0;
  return (
    armedTo(state, base, STANDBY, VF_ARM_PRIMARY, VF_ARM_PRIMARY_SILENT) |
    armedTo(state, base, PRIMARY, VF_ARM_STANDBY, VF_ARM_STANDBY_SILENT)
  );
}

function armedTo(state: Int32Array, base: number, path: number, lost: number, silent: number): number {
  if (isSuppressed(state, base, path) || inMaintenance(state, base, path)) return 0;
  return (rank(state, base, path) > RANK_NO_CARRIER ? lost : 0) | (isHealthy(state, base, path) ? silent : 0);
}

/** Advances the timers and latches of one slave. */
function track(state: Int32Array, base: number, path: number, nowMs: number): void {
  const link = state[base + P_LINK_PRIMARY + path]!;
  const since = base + P_SINCE_PRIMARY + path;
  let flags = cool(state, base, path, nowMs, state[base + P_FLAGS]!);
  const was = (flags & (FLAG_HEALTHY << path)) !== 0;
  const healthy = isHealthyLink(link);
  if (healthy !== was) {
    state[since] = nowMs;
    flags = (flags ^ (FLAG_HEALTHY << path)) & ~((FLAG_SETTLED | FLAG_DEAD) << path);
    restartProof(state, base, path);
  }
  let elapsed = (nowMs - state[since]!) | 0;
  if (elapsed < 0) {
    // More than half the range has passed without a look, or the clock stepped. Count from here.
    state[since] = nowMs;
    elapsed = 0;
  }
  if (healthy) {
    // `accept` may have charged an unseen failure in this turn, and this look may be older than that failure.
    if (elapsed > 0) flags &= ~(FLAG_CHARGED << path);
    if (elapsed >= state[base + P_UP_DELAY_MS]!) flags |= FLAG_UP << path;
    // Once settled, looks are no longer counted.
    const settled = (flags & (FLAG_SETTLED << path)) !== 0 || proven(state, base, path);
    if (settled && elapsed >= state[base + P_HOLD_DOWN_MS]!) flags |= FLAG_SETTLED << path;
  } else if ((link & LINK_UP) === 0 || link < 0 || elapsed >= state[base + P_DOWN_DELAY_MS]!) {
    // The delay is for carrier that flaps. A device that was set down or pulled does not come back by itself.
    flags |= FLAG_DEAD << path;
  }
  if (link < 0) flags |= FLAG_FRESH << path;
  state[base + P_FLAGS] = flags;
  // A slave that has not come up has not gone down either, so it is not charged.
  if ((flags & ((FLAG_DEAD | FLAG_UP) << path)) === (FLAG_DEAD | FLAG_UP) << path) {
    state[base + P_FLAGS] = flags & ~(FLAG_UP << path);
    charge(state, base, path, nowMs);
  }
}

/** Begins to count healthy probes anew, or looks where there are no probes. */
function restartProof(state: Int32Array, base: number, path: number): void {
  state[base + P_PROVEN_PRIMARY + path] = Math.max(0, state[base + P_PROBES_PRIMARY + path]!);
}

/** True if the slave has been healthy for as many probes in a row as asked for. Counts a look. */
function proven(state: Int32Array, base: number, path: number): boolean {
  const wanted = (state[base + P_RULES]! >>> 8) & 0xffff;
  const at = base + P_PROVEN_PRIMARY + path;
  const row = state[base + P_PROBES_PRIMARY + path]!;
  if (row < 0) {
    if (state[at]! < wanted) state[at] = state[at]! + 1;
    return state[at]! >= wanted;
  }
  // A probe was missed, so the row began again.
  if (row < state[at]!) state[at] = 0;
  return row - state[at]! >= wanted;
}

/** True if a voluntary switch may go to the slave: healthy, up, settled and not suppressed. */
function isReady(state: Int32Array, base: number, path: number): boolean {
  const all = ((FLAG_HEALTHY | FLAG_SETTLED | FLAG_UP) << path) as number;
  return (state[base + P_FLAGS]! & all) === all && !isSuppressed(state, base, path);
}

/** True if the rule of reselection asks for the preferred slave. */
function reselects(state: Int32Array, base: number, active: number, other: number): boolean {
  const rule = state[base + P_RULES]! & 0xff;
  if (rule === RESELECT_FAILURE) return false;
  if (rule !== RESELECT_BETTER) return true;
  const now = state[base + P_SPEED_PRIMARY + active]!;
  return now > 0 && state[base + P_SPEED_PRIMARY + other]! > now;
}

/** True if the round trip over `other` is shorter by the margins. False if one of the two is not measured. */
function isFaster(state: Int32Array, base: number, other: number): boolean {
  const there = state[base + P_RTT_PRIMARY + other]!;
  const here = state[base + P_RTT_PRIMARY + (other ^ 1)]!;
  if (there <= 0 || here <= there) return false;
  const margin = state[base + P_MARGIN]!;
  const percent = margin >>> 20;
  // Two formulas, so that the product stays an int32.
  const part = there < 2_000_000 ? ((there * percent) / 100) | 0 : ((there / 100) | 0) * percent;
  return here - there > (margin & 0xfffff) && here - there > part;
}

/** Keeps FLAG_FASTER and FLAG_FASTER_HELD. They are the hysteresis in time, beside the margins. */
function compareLatency(state: Int32Array, base: number, other: number, nowMs: number): void {
  if (state[base + P_PREFER] !== CHOICE_FASTER) return;
  let flags = state[base + P_FLAGS]!;
  if ((flags & (FLAG_HEALTHY << other)) === 0 || !isFaster(state, base, other)) {
    state[base + P_FLAGS] = flags & ~(FLAG_FASTER | FLAG_FASTER_HELD);
    return;
  }
  const elapsed = (nowMs - state[base + P_FASTER_SINCE]!) | 0;
  if ((flags & FLAG_FASTER) === 0 || elapsed < 0) {
    state[base + P_FASTER_SINCE] = nowMs;
    flags |= FLAG_FASTER;
    if (state[base + P_HOLD_DOWN_MS]! <= 0) flags |= FLAG_FASTER_HELD;
  } else if (elapsed >= state[base + P_HOLD_DOWN_MS]!) flags |= FLAG_FASTER_HELD;
  state[base + P_FLAGS] = flags;
}

/** Keeps FLAG_RECALLED, set while the slave in maintenance is active because the other one could not be. */
function recall(state: Int32Array, base: number, active: number, otherHealthy: boolean): void {
  const flags = state[base + P_FLAGS]!;
  if (!inMaintenance(state, base, active)) state[base + P_FLAGS] = flags & ~FLAG_RECALLED;
  else if (!otherHealthy) state[base + P_FLAGS] = flags | FLAG_RECALLED;
}

/** Returns the slave ordered by hand, or NO_PATH. Other numbers order nothing, nor does an order for a slave in maintenance. */
function orderOf(state: Int32Array, base: number): number {
  const override = state[base + P_OVERRIDE]!;
  if (override !== CHOICE_PRIMARY && override !== CHOICE_STANDBY) return NO_PATH;
  return inMaintenance(state, base, override - 1) ? NO_PATH : override - 1;
}

/**
 * Returns the slave that override or preference ask for, or NO_PATH. Keeps FLAG_OVERRIDE_LOST. It is set when the ordered slave is not
 * usable, and cleared when the order is fulfilled or changed.
 */
function wishOf(state: Int32Array, base: number): number {
  const order = orderOf(state, base);
  const seen = orderBits(state[base + P_OVERRIDE]!);
  let flags = state[base + P_FLAGS]!;
  if ((flags & (3 << FLAG_ORDER_SHIFT)) !== seen) {
    flags = (flags & ~(3 << FLAG_ORDER_SHIFT) & ~FLAG_OVERRIDE_LOST) | seen;
  }
  if (order !== NO_PATH) {
    const isActive = order === state[base + P_ACTIVE];
    // The active slave is usable while its down delay runs. Another one must be healthy to be taken.
    const usable = isActive ? (flags & (FLAG_DEAD << order)) === 0 : (flags & (FLAG_HEALTHY << order)) !== 0;
    if (!usable) flags |= FLAG_OVERRIDE_LOST;
    else if (isActive) flags &= ~FLAG_OVERRIDE_LOST;
  }
  state[base + P_FLAGS] = flags;
  if (order !== NO_PATH) return order;
  const prefer = state[base + P_PREFER]!;
  return prefer === CHOICE_PRIMARY || prefer === CHOICE_STANDBY ? prefer - 1 : NO_PATH;
}

/** Chooses the first active slave. Among equally bad ones it takes the standby, which is never unplugged. */
function first(state: Int32Array, base: number, wish: number): number {
  const wished = wish === STANDBY ? STANDBY : PRIMARY;
  const favourite = inMaintenance(state, base, wished) ? wished ^ 1 : wished;
  if (isHealthy(state, base, favourite)) return decide(state, base, favourite, CAUSE_JOIN);
  if (isHealthy(state, base, favourite ^ 1)) return decide(state, base, favourite ^ 1, CAUSE_JOIN);
  const primaryBetter = rank(state, base, PRIMARY) > rank(state, base, STANDBY);
  return decide(state, base, primaryBetter ? PRIMARY : STANDBY, CAUSE_NO_PATH);
}

/** Cause for leaving the active slave for `other`. */
function lossCause(state: Int32Array, base: number, active: number, other: number): number {
  // No slave was healthy before, so nothing is lost now. A new slave has come.
  if (state[base + P_CAUSE] === CAUSE_NO_PATH && isFresh(state, base, other)) return CAUSE_JOIN;
  const link = state[base + P_LINK_PRIMARY + active]!;
  if (link < 0) return CAUSE_UNPLUG;
  if ((link & LINK_UP) === 0) return CAUSE_ADMIN_DOWN;
  return (link & LINK_CARRIER) === 0 ? CAUSE_CARRIER : verdictOf(link);
}

function isFresh(state: Int32Array, base: number, path: number): boolean {
  return (state[base + P_FLAGS]! & (FLAG_FRESH << path)) !== 0;
}

function decide(state: Int32Array, base: number, path: number, cause: number): number {
  state[base + P_DESIRED] = path;
  state[base + P_CAUSE] = cause;
  return path;
}
