/**
 * The record of the steering policy: what its words and bits mean. All of it lies in one Int32Array, POLICY_WORDS words (two cache
 * lines) per instance; nothing leaves the int32 range, since values from 2³¹ up become heap numbers and bring the garbage collector.
 *
 * Times are int32 milliseconds of one monotonic clock, which may wrap: only differences are looked at. Words of a path come in pairs:
 * path p has its word at the primary's + p.
 */
import type { Path } from '../device.js';

/** Words of a record; a power of two. */
export const POLICY_WORDS = 32 as const;

/**
 * In: LINK_* bits of the primary, above them what detectors say of it (`withVerdict`), or negative: there is no
 * such device.
 */
export const P_LINK_PRIMARY = 0 as const;
export const P_LINK_STANDBY = 1 as const;
/** In: CHOICE_*: what the operator ordered. CHOICE_NONE is `auto`. */
export const P_OVERRIDE = 2 as const;
/** In: CHOICE_*: the path to fail back to; CHOICE_NONE stays where it is, CHOICE_FASTER goes by latency. */
export const P_PREFER = 3 as const;
/** In: how long a path must have been healthy before a failback to it, or faster before it is preferred, ms ≥ 0. */
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
export const P_SINCE_STANDBY = 11 as const;
/** State: when the active path last changed. */
export const P_SWITCHED_AT = 12 as const;
/** State: number of changes of the active path, wrapping. */
export const P_SWITCHES = 13 as const;
/**
 * In: how long a path must have been healthy before it counts as up, ms ≥ 0: until then it is taken only if the active one is dead
 * (bonding's updelay).
 */
export const P_UP_DELAY_MS = 14 as const;
/** In: CHOICE_PRIMARY or CHOICE_STANDBY: that path is out of service by order. Any other number: none is. */
export const P_MAINTENANCE = 15 as const;
/** In: probes answered in a row on the primary, ≥ 0; negative: it has none, and looks are counted instead. */
export const P_PROBES_PRIMARY = 16 as const;
export const P_PROBES_STANDBY = 17 as const;
/** In: smoothed round-trip time over the primary, µs; 0 or less: not measured. */
export const P_RTT_PRIMARY = 18 as const;
export const P_RTT_STANDBY = 19 as const;
/** In: `speedWord` of the primary's link; 0: not known. */
export const P_SPEED_PRIMARY = 20 as const;
export const P_SPEED_STANDBY = 21 as const;
/** In: `rulesWord`. */
export const P_RULES = 22 as const;
/** In: `marginWord`: by how much a path must be faster. */
export const P_MARGIN = 23 as const;
/** In: ms in which a penalty halves; 0: no damping. */
export const P_HALF_LIFE_MS = 24 as const;
/** In: `thresholdsWord` of the damping. */
export const P_THRESHOLDS = 25 as const;
/** In: how long a path can be suppressed at most, ms. */
export const P_MAX_SUPPRESS_MS = 26 as const;
/** State: probes in a row at which the primary's healthy ones begin to count; without probes the number of healthy looks. */
export const P_PROVEN_PRIMARY = 27 as const;
export const P_PROVEN_STANDBY = 28 as const;
/** State: when the primary's penalty has decayed to the reuse threshold. Says the penalty of any time. With FLAG_PENALISED only. */
export const P_REUSE_AT_PRIMARY = 29 as const;
export const P_REUSE_AT_STANDBY = 30 as const;
/** State: since when the path that is not active has been faster. With FLAG_FASTER only. */
export const P_FASTER_SINCE = 31 as const;

export const LINK_CARRIER = 1 as const;
export const LINK_UP = 2 as const;
/** Healthy: administratively up, with carrier, and no verdict. */
export const LINK_HEALTHY = 3 as const;
/** Beside LINK_CARRIER: there is none, and this is not held against the path as yet (src/detect/carrier.ts). */
export const LINK_SPARED = 4 as const;
export const LINK_ABSENT = -1 as const;
/** Bits of a link word from here on: what detectors have against the path, a CAUSE_*; 0 is nothing. */
export const LINK_VERDICT_SHIFT = 8 as const;
const LINK_VERDICT_MASK = 0xff00;

/** Values of P_OVERRIDE, P_PREFER and P_MAINTENANCE: 1 + path, or none. */
export const CHOICE_NONE = 0 as const;
export const CHOICE_PRIMARY = 1 as const;
export const CHOICE_STANDBY = 2 as const;
/** P_PREFER only: the path with the shorter round trip. */
export const CHOICE_FASTER = 3 as const;

/** When to return to the preferred path (bonding's primary_reselect): as soon as it is ready; */
export const RESELECT_ALWAYS = 0 as const;
/** if its link is better than the active one's; */
export const RESELECT_BETTER = 1 as const;
/** not until the active one fails. */
export const RESELECT_FAILURE = 2 as const;

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

// Flags come in pairs, if not said otherwise: shift the primary's bit left by the path.
/** The path was healthy at the last look. */
export const FLAG_HEALTHY = 1 as const;
/** It has been for the hold-down time, and for the probes asked for. A latch, since the clock wraps. */
export const FLAG_SETTLED = 4 as const;
/** The path is unhealthy and the down delay is over, or never applied. A latch too. */
export const FLAG_DEAD = 16 as const;
/** The path has not been active since it appeared. */
export const FLAG_FRESH = 64 as const;
/** Single: the override's path was left because it was not usable; the return to it waits for the hold-down. */
export const FLAG_OVERRIDE_LOST = 256 as const;
/** The path has been healthy for the up delay since it was dead, or was taken without. */
export const FLAG_UP = 512 as const;
/** The flap that the path is in has been charged. */
export const FLAG_CHARGED = 2048 as const;
/** The path has a penalty. */
export const FLAG_PENALISED = 8192 as const;
/** The path has flapped too often: it is not chosen until its penalty has decayed. */
export const FLAG_SUPPRESSED = 32768 as const;
/** Single: the path that is not active is faster by the margin; */
export const FLAG_FASTER = 1 << 17;
/** single: and has been for the hold-down time. */
export const FLAG_FASTER_HELD = 1 << 18;
/** Single: the path in maintenance carries traffic for want of another; the next one must have settled to be taken. */
export const FLAG_RECALLED = 1 << 19;
/** From here on two bits: the override that FLAG_OVERRIDE_LOST is about. */
export const FLAG_ORDER_SHIFT = 20 as const;

/** Bits of `armedFallbacks`: what to do when the link of the other path is lost. */
export const ARM_TO_STANDBY = 1 as const;
export const ARM_TO_PRIMARY = 2 as const;
/** Likewise when a detector in the programs finds the other path dead. */
export const ARM_SILENT_TO_STANDBY = 4 as const;
export const ARM_SILENT_TO_PRIMARY = 8 as const;
/** For BFD's verdict, as the two above are for that of the watchdog or the probes (src/detect/combine.ts). */
export const ARM_BFD_TO_STANDBY = 16 as const;
export const ARM_BFD_TO_PRIMARY = 32 as const;

export const RANK_NO_CARRIER = 2 as const;

/** First word of an instance's record. */
export function policyBase(index: number): number {
  return index << 5;
}

/** RESELECT_*, and after how many healthy probes (or looks) in a row, 0 … 65535, a path is ready to be returned to. */
export function rulesWord(reselect: number, healthyProbes: number): number {
  return reselect | (healthyProbes << 8);
}

/** A path is faster if its round trip is shorter by more than both: µs, 0 … 1,000,000, and percent of it, 0 … 1000. */
export function marginWord(us: number, percent: number): number {
  return us | (percent << 20);
}

/** Penalties, 1 … 32767 (a flap costs 1000): a path that reaches the first is suppressed until it decays to the second. */
export function thresholdsWord(suppress: number, reuse: number): number {
  return (suppress << 16) | reuse;
}

/** How good a link is: Mb/s first, then whether it is full duplex. 0: the driver does not say (-1, or 0). */
export function speedWord(mbps: number, fullDuplex: boolean): number {
  return mbps > 0 && mbps < 0x3fffffff ? mbps * 2 + (fullDuplex ? 1 : 0) : 0;
}

/** Flap damping; see the configuration's keys of the same names. */
export interface DampingConfig {
  halfLifeMs: number;
  suppress: number;
  reuse: number;
  maxSuppressMs: number;
}

/** What `initPolicy` takes; see the words of the same names. */
export interface PolicyConfig {
  holdDownMs?: number;
  downDelayMs?: number;
  upDelayMs?: number;
  prefer?: number;
  reselect?: number;
  healthyProbes?: number;
  marginUs?: number;
  marginPercent?: number;
  /** Absent: no damping. */
  damping?: DampingConfig;
  override?: number;
  maintenance?: number;
  /** The path that carries traffic already, where pinned programs are adopted. */
  active?: Path;
  /** Both paths have been there before: the other one, when it is healthy, does not join but may be failed back to. */
  known?: boolean;
}

/** Writes a fresh record: both paths absent. A record of zeros will not do. Cold. */
export function initPolicy(state: Int32Array, base: number, config: PolicyConfig = {}): void {
  const { damping, active, override = CHOICE_NONE } = config;
  state.fill(0, base, base + POLICY_WORDS);
  state[base + P_LINK_PRIMARY] = LINK_ABSENT;
  state[base + P_LINK_STANDBY] = LINK_ABSENT;
  state[base + P_PROBES_PRIMARY] = -1;
  state[base + P_PROBES_STANDBY] = -1;
  state[base + P_OVERRIDE] = override;
  state[base + P_MAINTENANCE] = config.maintenance ?? CHOICE_NONE;
  state[base + P_PREFER] = config.prefer ?? CHOICE_PRIMARY;
  state[base + P_HOLD_DOWN_MS] = config.holdDownMs ?? 0;
  state[base + P_DOWN_DELAY_MS] = config.downDelayMs ?? 0;
  state[base + P_UP_DELAY_MS] = config.upDelayMs ?? 0;
  state[base + P_RULES] = rulesWord(config.reselect ?? RESELECT_ALWAYS, config.healthyProbes ?? 0);
  state[base + P_MARGIN] = marginWord(config.marginUs ?? 0, config.marginPercent ?? 0);
  state[base + P_HALF_LIFE_MS] = damping?.halfLifeMs ?? 0;
  state[base + P_THRESHOLDS] = damping ? thresholdsWord(damping.suppress, damping.reuse) : 0;
  state[base + P_MAX_SUPPRESS_MS] = damping?.maxSuppressMs ?? 0;
  state[base + P_ACTIVE] = active ?? NO_PATH;
  state[base + P_DESIRED] = active ?? NO_PATH;
  const fresh = active === undefined ? FLAG_FRESH | (FLAG_FRESH << 1) : FLAG_FRESH << (active ^ 1);
  state[base + P_FLAGS] =
    FLAG_DEAD | (FLAG_DEAD << 1) | (config.known === true ? 0 : fresh) | orderBits(override);
}

/** The bits at FLAG_ORDER_SHIFT for a value of P_OVERRIDE. */
export function orderBits(override: number): number {
  return override === CHOICE_PRIMARY || override === CHOICE_STANDBY ? override << FLAG_ORDER_SHIFT : 0;
}

/** A link word with what detectors say: a CAUSE_*, or 0. An absent path stays absent. */
export function withVerdict(link: number, verdict: number): number {
  return link < 0 ? link : (link & 0xff) | (verdict << LINK_VERDICT_SHIFT);
}

/** Is the path without carrier, and taken for healthy nonetheless? */
export function isSpared(link: number): boolean {
  return link >= 0 && (link & LINK_SPARED) !== 0;
}

/** Has the path's device carrier in truth? */
export function hasCarrier(link: number): boolean {
  return link >= 0 && (link & (LINK_CARRIER | LINK_SPARED)) === LINK_CARRIER;
}

/** The verdict in a link word: a CAUSE_*; 0 if detectors have nothing against the path. */
export function verdictOf(link: number): number {
  return link < 0 ? 0 : (link & LINK_VERDICT_MASK) >>> LINK_VERDICT_SHIFT;
}

/** Is the path up with carrier, and has no detector anything against it? */
export function isHealthy(state: Int32Array, base: number, path: number): boolean {
  return isHealthyLink(state[base + P_LINK_PRIMARY + path]!);
}

export function isHealthyLink(link: number): boolean {
  return link >= 0 && (link & (LINK_HEALTHY | LINK_VERDICT_MASK)) === LINK_HEALTHY;
}

/** How good an unhealthy path is: 0 absent, 1 down, 2 up without carrier, 3 with a link and a verdict. */
export function rank(state: Int32Array, base: number, path: number): number {
  const link = state[base + P_LINK_PRIMARY + path]!;
  return link < 0 ? 0 : (link & LINK_UP) === 0 ? 1 : (link & LINK_CARRIER) === 0 ? RANK_NO_CARRIER : 3;
}

/** Has the operator taken the path out of service? */
export function inMaintenance(state: Int32Array, base: number, path: number): boolean {
  return state[base + P_MAINTENANCE] === path + 1;
}

export function isSuppressed(state: Int32Array, base: number, path: number): boolean {
  return (state[base + P_FLAGS]! & (FLAG_SUPPRESSED << path)) !== 0;
}
