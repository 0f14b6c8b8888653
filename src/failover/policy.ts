/**
 * The steering policy: which path of an instance should be active. Called by the decision worker for every
 * instance on every turn, so all state lies in one Int32Array and nothing here allocates, closes over
 * anything or leaves the int32 range (values from 2³¹ up become heap numbers and bring the garbage
 * collector).
 *
 * One record of POLICY_WORDS words (a cache line) per instance. Times are int32 milliseconds of one
 * monotonic clock, which may wrap: only differences are looked at. Call `evaluate` at least every 24 days,
 * or hold-downs start again.
 */
import { type Path, PRIMARY, STANDBY } from './device.js';

/** Words of a record; a power of two. */
export const POLICY_WORDS = 16 as const;

/**
 * In: LINK_* bits of the primary, above them what detectors say of it (`withVerdict`), or negative: there is no
 * such device.
 */
export const P_LINK_PRIMARY = 0 as const;
/** In: as P_LINK_PRIMARY, for the standby. Path p has its word at P_LINK_PRIMARY + p. */
export const P_LINK_STANDBY = 1 as const;
/** In: CHOICE_*: what the operator ordered. CHOICE_NONE is `auto`. */
export const P_OVERRIDE = 2 as const;
/** In: CHOICE_*: the path to fail back to; CHOICE_NONE stays where it is. */
export const P_PREFER = 3 as const;
/** In: how long a path must have been healthy before a failback to it, ms ≥ 0. */
export const P_HOLD_DOWN_MS = 4 as const;
/**
 * In: how long a loss of carrier, or a verdict, must last before the active path is left, ms ≥ 0. Above 0 tier 0
 * is not armed.
 */
export const P_DOWN_DELAY_MS = 5 as const;
/** State, set by `accept`: the path that carries traffic; NO_PATH before the first. */
export const P_ACTIVE = 6 as const;
/** Out: the path that should. */
export const P_DESIRED = 7 as const;
/** Out: CAUSE_* of the difference, CAUSE_NONE if there is none, or CAUSE_NO_PATH. */
export const P_CAUSE = 8 as const;
/** State: FLAG_* bits. */
export const P_FLAGS = 9 as const;
/** State: when the primary's health last changed. */
export const P_SINCE_PRIMARY = 10 as const;
/** State: as P_SINCE_PRIMARY, for the standby. */
export const P_SINCE_STANDBY = 11 as const;
/** State: when the active path last changed. */
export const P_SWITCHED_AT = 12 as const;
/** State: number of changes of the active path, wrapping. */
export const P_SWITCHES = 13 as const;
/** State: the override that FLAG_OVERRIDE_LOST is about. */
export const P_SEEN_OVERRIDE = 14 as const;
// Word 15 is free.

export const LINK_CARRIER = 1 as const;
export const LINK_UP = 2 as const;
/** Healthy: administratively up, with carrier, and no verdict. */
export const LINK_HEALTHY = 3 as const;
export const LINK_ABSENT = -1 as const;
/** Bits of a link word from here on: what detectors have against the path, a CAUSE_*; 0 is nothing. */
export const LINK_VERDICT_SHIFT = 8 as const;
const LINK_VERDICT_MASK = 0xff00;

/** Values of P_OVERRIDE and P_PREFER: 1 + path, or none. */
export const CHOICE_NONE = 0 as const;
export const CHOICE_PRIMARY = 1 as const;
export const CHOICE_STANDBY = 2 as const;

/** P_ACTIVE of an instance that has not carried traffic yet. */
export const NO_PATH = -1 as const;

/** Causes of a switch; the BPF programs use the same numbers. */
export const CAUSE_NONE = 0 as const;
/** The active path lost carrier. */
export const CAUSE_CARRIER = 1 as const;
/** The active path was set down. */
export const CAUSE_ADMIN_DOWN = 2 as const;
/** The active path's device is gone. */
export const CAUSE_UNPLUG = 3 as const;
/** Ordered: a switchover. */
export const CAUSE_MANUAL = 4 as const;
/** The preferred path is healthy again, and has been for the hold-down time. */
export const CAUSE_FAILBACK = 5 as const;
/** The path joined, and takes over for the first time since. */
export const CAUSE_JOIN = 6 as const;
/** No path is healthy: the less bad one is kept or taken. */
export const CAUSE_NO_PATH = 7 as const;
// Verdicts: what a detector says of a path whose link is up.
/** Frames that expect an answer were sent on the active path, and nothing was received for too long. */
export const CAUSE_UNANSWERED = 8 as const;
/** Probes were not answered. */
export const CAUSE_PROBE = 9 as const;
/** The BFD session went down. */
export const CAUSE_BFD = 10 as const;
/** Multicast that the other slave received is missing. */
export const CAUSE_WITNESS = 11 as const;
/** The other slave is faster. */
export const CAUSE_LATENCY = 12 as const;
/** Taken out of service by hand. */
export const CAUSE_MAINTENANCE = 13 as const;

/** Names of the causes, by number. */
export const CAUSE_NAMES = [
  'none',
  'carrier',
  'admin-down',
  'unplug',
  'manual',
  'failback',
  'join',
  'no-path',
  'unanswered',
  'probe',
  'bfd',
  'witness',
  'latency',
  'maintenance',
] as const;

// Flags come in pairs: shift the primary's bit left by the path.
/** The path was healthy at the last look. */
export const FLAG_HEALTHY = 1 as const;
/** It has been for the hold-down time. A latch, since the clock wraps. */
export const FLAG_SETTLED = 4 as const;
/** The path is unhealthy and the down delay is over, or never applied. A latch too. */
export const FLAG_DEAD = 16 as const;
/** The path has not been active since it appeared. */
export const FLAG_FRESH = 64 as const;
/** The override's path was left because it was not usable; the return to it waits for the hold-down. */
export const FLAG_OVERRIDE_LOST = 256 as const;

/** Bits of `armedFallbacks`: what to do when the link of the other path is lost. */
export const ARM_TO_STANDBY = 1 as const;
export const ARM_TO_PRIMARY = 2 as const;
/** Likewise when a detector in the programs finds the other path dead. */
export const ARM_SILENT_TO_STANDBY = 4 as const;
export const ARM_SILENT_TO_PRIMARY = 8 as const;

const RANK_NO_CARRIER = 2;

/** First word of an instance's record. */
export function policyBase(index: number): number {
  return index << 4;
}

/** A monotonic time in ms, of any size, as the policy's wrapping int32. */
export function policyMs(ms: number): number {
  return ms | 0;
}

/** What `initPolicy` takes; see the words of the same names. */
export interface PolicyConfig {
  holdDownMs?: number;
  downDelayMs?: number;
  prefer?: number;
  override?: number;
  /** The path that carries traffic already, where pinned programs are adopted. */
  active?: Path;
}

/** Writes a fresh record: both paths absent. A record of zeros will not do. Cold. */
export function initPolicy(state: Int32Array, base: number, config: PolicyConfig = {}): void {
  state.fill(0, base, base + POLICY_WORDS);
  state[base + P_LINK_PRIMARY] = LINK_ABSENT;
  state[base + P_LINK_STANDBY] = LINK_ABSENT;
  state[base + P_OVERRIDE] = config.override ?? CHOICE_NONE;
  state[base + P_SEEN_OVERRIDE] = config.override ?? CHOICE_NONE;
  state[base + P_PREFER] = config.prefer ?? CHOICE_PRIMARY;
  state[base + P_HOLD_DOWN_MS] = config.holdDownMs ?? 0;
  state[base + P_DOWN_DELAY_MS] = config.downDelayMs ?? 0;
  state[base + P_ACTIVE] = config.active ?? NO_PATH;
  state[base + P_DESIRED] = config.active ?? NO_PATH;
  const fresh =
    config.active === undefined ? FLAG_FRESH | (FLAG_FRESH << 1) : FLAG_FRESH << (config.active ^ 1);
  state[base + P_FLAGS] = FLAG_DEAD | (FLAG_DEAD << 1) | fresh;
}

/** A link word with what detectors say: a CAUSE_*, or 0. An absent path stays absent. */
export function withVerdict(link: number, verdict: number): number {
  return link < 0 ? link : (link & 0xff) | (verdict << LINK_VERDICT_SHIFT);
}

/** The verdict in a link word: a CAUSE_*; 0 if detectors have nothing against the path. */
export function verdictOf(link: number): number {
  return link < 0 ? 0 : (link & LINK_VERDICT_MASK) >>> LINK_VERDICT_SHIFT;
}

/** Is the path up with carrier, and has no detector anything against it? */
export function isHealthy(state: Int32Array, base: number, path: number): boolean {
  return isHealthyLink(state[base + P_LINK_PRIMARY + path]!);
}

function isHealthyLink(link: number): boolean {
  return link >= 0 && (link & (LINK_HEALTHY | LINK_VERDICT_MASK)) === LINK_HEALTHY;
}

/**
 * Decides. Reads the inputs, moves the timers on, writes P_DESIRED and P_CAUSE.
 * @returns the path that should be active, 0 or 1. If it is not P_ACTIVE, flip, then call `accept`.
 *
 * - The active path is left when it is dead and the other is healthy, at once: the other need not have
 *   been healthy for any time (bonding skips updelay when it has no active slave).
 * - An override is honoured at once if its path is healthy. If not, the instance falls back to the other
 *   path, says so by FLAG_OVERRIDE_LOST, and returns once the chosen path has been healthy for the
 *   hold-down time. Nobody wants an outage.
 */
export function evaluate(state: Int32Array, base: number, nowMs: number): number {
  track(state, base, PRIMARY, nowMs);
  track(state, base, STANDBY, nowMs);
  const active = state[base + P_ACTIVE]!;
  const wish = wishOf(state, base);
  if (active !== PRIMARY && active !== STANDBY) return first(state, base, wish);
  const other = active ^ 1;
  const flags = state[base + P_FLAGS]!;
  const otherHealthy = (flags & (FLAG_HEALTHY << other)) !== 0;
  if ((flags & (FLAG_DEAD << active)) !== 0) {
    if (otherHealthy) return decide(state, base, other, lossCause(state, base, active, other));
    const better = rank(state, base, other) > rank(state, base, active);
    return decide(state, base, better ? other : active, CAUSE_NO_PATH);
  }
  if (wish !== other || !otherHealthy) return decide(state, base, active, CAUSE_NONE);
  const settled = (flags & (FLAG_SETTLED << other)) !== 0;
  if (orderOf(state, base) === other && (settled || (flags & FLAG_OVERRIDE_LOST) === 0)) {
    return decide(state, base, other, CAUSE_MANUAL);
  }
  if (!settled) return decide(state, base, active, CAUSE_NONE);
  return decide(state, base, other, isFresh(state, base, other) ? CAUSE_JOIN : CAUSE_FAILBACK);
}

/**
 * The active path has become `path`: the worker flipped it, or tier 0 did and the worker found out. A move
 * that was not desired means that the path left failed unseen, perhaps too briefly to be seen at all: its
 * hold-down starts again, or the next `evaluate` would go straight back.
 */
export function accept(state: Int32Array, base: number, path: number, nowMs: number): void {
  const was = state[base + P_ACTIVE]!;
  let flags = state[base + P_FLAGS]! & ~(FLAG_FRESH << path);
  if (path !== was) {
    state[base + P_ACTIVE] = path;
    state[base + P_SWITCHED_AT] = nowMs;
    state[base + P_SWITCHES] = (state[base + P_SWITCHES]! + 1) | 0;
    if (path !== state[base + P_DESIRED] && was >= 0) {
      flags &= ~(FLAG_SETTLED << was);
      state[base + P_SINCE_PRIMARY + was] = nowMs;
      if (state[base + P_OVERRIDE] === was + 1) flags |= FLAG_OVERRIDE_LOST;
    }
  }
  if (state[base + P_OVERRIDE] === path + 1) flags &= ~FLAG_OVERRIDE_LOST;
  state[base + P_FLAGS] = flags;
  state[base + P_DESIRED] = path;
}

/**
 * Which fallbacks tier 0 may execute on its own: ARM_TO_STANDBY, if the primary loses carrier;
 * ARM_TO_PRIMARY, the reverse; ARM_SILENT_*, if a detector finds the path dead whose link is up. Exactly those
 * that `evaluate` would decide at once in that case: the other path is healthy now, or for a lost link at least
 * has one, and no down delay is set. An override forbids none, since it is itself given up when its path dies.
 */
export function armedFallbacks(state: Int32Array, base: number): number {
  if (state[base + P_DOWN_DELAY_MS]! > 0) return 0;
  return (
    (rank(state, base, STANDBY) > RANK_NO_CARRIER ? ARM_TO_STANDBY : 0) |
    (rank(state, base, PRIMARY) > RANK_NO_CARRIER ? ARM_TO_PRIMARY : 0) |
    (isHealthy(state, base, STANDBY) ? ARM_SILENT_TO_STANDBY : 0) |
    (isHealthy(state, base, PRIMARY) ? ARM_SILENT_TO_PRIMARY : 0)
  );
}

/** Moves the timers and latches of one path on. */
function track(state: Int32Array, base: number, path: number, nowMs: number): void {
  const link = state[base + P_LINK_PRIMARY + path]!;
  const since = base + P_SINCE_PRIMARY + path;
  let flags = state[base + P_FLAGS]!;
  const was = (flags & (FLAG_HEALTHY << path)) !== 0;
  const healthy = isHealthyLink(link);
  if (healthy !== was) {
    state[since] = nowMs;
    flags = (flags ^ (FLAG_HEALTHY << path)) & ~((FLAG_SETTLED | FLAG_DEAD) << path);
  }
  let elapsed = (nowMs - state[since]!) | 0;
  if (elapsed < 0) {
    // More than half the range has passed without a look, or the clock stepped: count from here.
    state[since] = nowMs;
    elapsed = 0;
  }
  if (healthy) {
    if (elapsed >= state[base + P_HOLD_DOWN_MS]!) flags |= FLAG_SETTLED << path;
  } else if ((link & LINK_UP) === 0 || link < 0 || elapsed >= state[base + P_DOWN_DELAY_MS]!) {
    // The delay is for carrier that flaps. A device that was set down or pulled does not come back by itself.
    flags |= FLAG_DEAD << path;
  }
  if (link < 0) flags |= FLAG_FRESH << path;
  state[base + P_FLAGS] = flags;
}

/** The path that is ordered by hand, or NO_PATH. Any other number in the word orders nothing. */
function orderOf(state: Int32Array, base: number): number {
  const override = state[base + P_OVERRIDE]!;
  return override === CHOICE_PRIMARY || override === CHOICE_STANDBY ? override - 1 : NO_PATH;
}

/**
 * The path that override or preference ask for, or NO_PATH. Keeps FLAG_OVERRIDE_LOST: cleared by a new
 * order and when the order is fulfilled, set when its path is not usable.
 */
function wishOf(state: Int32Array, base: number): number {
  const order = orderOf(state, base);
  const override = state[base + P_OVERRIDE]!;
  let flags = state[base + P_FLAGS]!;
  if (override !== state[base + P_SEEN_OVERRIDE]) {
    state[base + P_SEEN_OVERRIDE] = override;
    flags &= ~FLAG_OVERRIDE_LOST;
  }
  if (order !== NO_PATH) {
    const isActive = order === state[base + P_ACTIVE];
    // The active path is usable for as long as its down delay runs; another one must be healthy to be taken.
    const usable = isActive ? (flags & (FLAG_DEAD << order)) === 0 : (flags & (FLAG_HEALTHY << order)) !== 0;
    if (!usable) flags |= FLAG_OVERRIDE_LOST;
    else if (isActive) flags &= ~FLAG_OVERRIDE_LOST;
  }
  state[base + P_FLAGS] = flags;
  if (order !== NO_PATH) return order;
  const prefer = state[base + P_PREFER]!;
  return prefer === CHOICE_PRIMARY || prefer === CHOICE_STANDBY ? prefer - 1 : NO_PATH;
}

/**
 * The first path of an instance. Among equally bad ones the standby, which is the one that is never
 * unplugged.
 */
function first(state: Int32Array, base: number, wish: number): number {
  const favourite = wish === STANDBY ? STANDBY : PRIMARY;
  if (isHealthy(state, base, favourite)) return decide(state, base, favourite, CAUSE_JOIN);
  if (isHealthy(state, base, favourite ^ 1)) return decide(state, base, favourite ^ 1, CAUSE_JOIN);
  const primaryBetter = rank(state, base, PRIMARY) > rank(state, base, STANDBY);
  return decide(state, base, primaryBetter ? PRIMARY : STANDBY, CAUSE_NO_PATH);
}

/** Why the active path is left for `other`. */
function lossCause(state: Int32Array, base: number, active: number, other: number): number {
  // There was no path before, so nothing is lost now: a new one has come.
  if (state[base + P_CAUSE] === CAUSE_NO_PATH && isFresh(state, base, other)) return CAUSE_JOIN;
  const link = state[base + P_LINK_PRIMARY + active]!;
  if (link < 0) return CAUSE_UNPLUG;
  if ((link & LINK_UP) === 0) return CAUSE_ADMIN_DOWN;
  return (link & LINK_CARRIER) === 0 ? CAUSE_CARRIER : verdictOf(link);
}

function isFresh(state: Int32Array, base: number, path: number): boolean {
  return (state[base + P_FLAGS]! & (FLAG_FRESH << path)) !== 0;
}

/** How good an unhealthy path is: 0 absent, 1 down, 2 up without carrier, 3 with a link and a verdict. */
function rank(state: Int32Array, base: number, path: number): number {
  const link = state[base + P_LINK_PRIMARY + path]!;
  return link < 0 ? 0 : (link & LINK_UP) === 0 ? 1 : (link & LINK_CARRIER) === 0 ? RANK_NO_CARRIER : 3;
}

function decide(state: Int32Array, base: number, path: number, cause: number): number {
  state[base + P_DESIRED] = path;
  state[base + P_CAUSE] = cause;
  return path;
}
