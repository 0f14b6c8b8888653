/**
 * The record of the steering policy: the meaning of its words and bits. An instance has POLICY_WORDS words (two cache lines) in one
 * Int32Array. No value leaves the int32 range, since values from 2³¹ up become heap numbers and bring the garbage collector.
 *
 * Times are int32 milliseconds of one monotonic clock. The clock may wrap, so only differences are compared. Words of a slave come in pairs.
 * The word of slave `path` is at the primary's word + `path`.
 */
import type { Path } from '../device.js';
import { record } from '../record.js';

/** Words of a record; a power of two. */
export const POLICY_WORDS = 32 as const;

/** The words of a record. In: written by others before a turn. Out: what a turn decided. State: the policy’s own. Two words: by path. */
export const POLICY_RECORD = record('policy', POLICY_WORDS, {
  /**
   * In: LINK_* bits of the primary, above them what detectors say of it (`withVerdict`), or negative: there is no
   * such device.
   */
  link: 2,
  /** In: CHOICE_*: what the operator ordered. CHOICE_NONE is `auto`. */
  override: 1,
  /** In: CHOICE_*: the path to fail back to; CHOICE_NONE stays where it is, CHOICE_FASTER goes by latency. */
  prefer: 1,
  /** In: how long a path must have been healthy before a failback to it, or faster before it is preferred, ms ≥ 0. */
  holdDownMs: 1,
  /**
   * In: how long a loss of carrier, or a verdict, must last before the active path is left, ms ≥ 0. Above 0 tier 0
   * is not armed.
   */
  downDelayMs: 1,
  /** State, set by `accept`: the path that carries traffic; NO_PATH before the first. */
  active: 1,
  /** Out: the path that should. */
  desired: 1,
  /** Out: CAUSE_* of the difference, CAUSE_NONE if there is none, or CAUSE_NO_PATH. */
  cause: 1,
  /** State: FLAG_* bits. */
  flags: 1,
  /** State: when the primary's health last changed. */
  since: 2,
  /** State: when the active path last changed. */
  switchedAt: 1,
  /** State: number of changes of the active path, wrapping. */
  switches: 1,
  /**
   * In: how long a path must have been healthy before it counts as up, ms ≥ 0: until then it is taken only if the active one is dead
   * (bonding's updelay).
   */
  upDelayMs: 1,
  /** In: CHOICE_PRIMARY or CHOICE_STANDBY: that path is out of service by order. Any other number: none is. */
  maintenance: 1,
  /** In: probes answered in a row on the primary, ≥ 0; negative: it has none, and looks are counted instead. */
  probes: 2,
  /** In: smoothed round-trip time over the primary, µs; 0 or less: not measured. */
  rtt: 2,
  /** In: `speedWord` of the primary's link; 0: not known. */
  speed: 2,
  /** In: `rulesWord`. */
  rules: 1,
  /** In: `marginWord`: by how much a path must be faster. */
  margin: 1,
  /** In: ms in which a penalty halves; 0: no damping. */
  halfLifeMs: 1,
  /** In: `thresholdsWord` of the damping. */
  thresholds: 1,
  /** In: how long a path can be suppressed at most, ms. */
  maxSuppressMs: 1,
  /** State: probes in a row at which the primary's healthy ones begin to count; without probes the number of healthy looks. */
  proven: 2,
  /** State: when the primary's penalty has decayed to the reuse threshold. Says the penalty of any time. With FLAG_PENALISED only. */
  reuseAt: 2,
  /** State: since when the path that is not active has been faster. With FLAG_FASTER only. */
  fasterSince: 1,
});

// Hot loops read these: a name each, as every other constant.
export const {
  link: P_LINK_PRIMARY,
  override: P_OVERRIDE,
  prefer: P_PREFER,
  holdDownMs: P_HOLD_DOWN_MS,
  downDelayMs: P_DOWN_DELAY_MS,
  active: P_ACTIVE,
  desired: P_DESIRED,
  cause: P_CAUSE,
  flags: P_FLAGS,
  since: P_SINCE_PRIMARY,
  switchedAt: P_SWITCHED_AT,
  switches: P_SWITCHES,
  upDelayMs: P_UP_DELAY_MS,
  maintenance: P_MAINTENANCE,
  probes: P_PROBES_PRIMARY,
  rtt: P_RTT_PRIMARY,
  speed: P_SPEED_PRIMARY,
  rules: P_RULES,
  margin: P_MARGIN,
  halfLifeMs: P_HALF_LIFE_MS,
  thresholds: P_THRESHOLDS,
  maxSuppressMs: P_MAX_SUPPRESS_MS,
  proven: P_PROVEN_PRIMARY,
  reuseAt: P_REUSE_AT_PRIMARY,
  fasterSince: P_FASTER_SINCE,
} = POLICY_RECORD;
export const P_LINK_STANDBY = P_LINK_PRIMARY + 1;
export const P_SINCE_STANDBY = P_SINCE_PRIMARY + 1;
export const P_PROBES_STANDBY = P_PROBES_PRIMARY + 1;
export const P_RTT_STANDBY = P_RTT_PRIMARY + 1;
export const P_SPEED_STANDBY = P_SPEED_PRIMARY + 1;
export const P_PROVEN_STANDBY = P_PROVEN_PRIMARY + 1;
export const P_REUSE_AT_STANDBY = P_REUSE_AT_PRIMARY + 1;

export const LINK_CARRIER = 1 as const;
export const LINK_UP = 2 as const;
/** Healthy: administratively up, with carrier, and no verdict. */
export const LINK_HEALTHY = 3 as const;
/** With LINK_CARRIER: the device has no carrier, and this is not held against the slave as yet (src/detect/carrier.ts). */
export const LINK_SPARED = 4 as const;
export const LINK_ABSENT = -1 as const;
/** Shift of the verdict in a link word: a CAUSE_* of the slave's detectors, or 0. */
export const LINK_VERDICT_SHIFT = 8 as const;
const LINK_VERDICT_MASK = 0xff00;

/** Values of P_OVERRIDE, P_PREFER and P_MAINTENANCE: 1 + slave, or none. */
export const CHOICE_NONE = 0 as const;
export const CHOICE_PRIMARY = 1 as const;
export const CHOICE_STANDBY = 2 as const;
/** P_PREFER only: the slave with the shorter round trip. */
export const CHOICE_FASTER = 3 as const;

/** Returns to the preferred slave as soon as it is ready (bonding's primary_reselect). */
export const RESELECT_ALWAYS = 0 as const;
/** Returns only if the preferred slave's link is better than the active one's. */
export const RESELECT_BETTER = 1 as const;
/** Returns only when the active slave fails. */
export const RESELECT_FAILURE = 2 as const;

/** P_ACTIVE of an instance that has not carried traffic yet. */
export const NO_PATH = -1 as const;

/** Causes of a switch; the BPF programs use the same numbers. */
export const CAUSE_NONE = 0 as const;
/** The active slave lost carrier. */
export const CAUSE_CARRIER = 1 as const;
/** The active slave was set down. */
export const CAUSE_ADMIN_DOWN = 2 as const;
/** The active slave's device is gone. */
export const CAUSE_UNPLUG = 3 as const;
/** The operator ordered a switchover. */
export const CAUSE_MANUAL = 4 as const;
/** The preferred slave has been healthy again for the hold-down time. */
export const CAUSE_FAILBACK = 5 as const;
/** The slave joined, and takes over for the first time since. */
export const CAUSE_JOIN = 6 as const;
/** No slave is healthy, so the less bad one is kept or taken. */
export const CAUSE_NO_PATH = 7 as const;
// Verdicts: a detector's word on a slave whose link is up.
/** Frames that expect an answer were sent on the active slave, and nothing was received for too long. */
export const CAUSE_UNANSWERED = 8 as const;
/** Probes were not answered. */
export const CAUSE_PROBE = 9 as const;
/** The BFD session went down. */
export const CAUSE_BFD = 10 as const;
/** Multicast that the other slave received is missing. */
export const CAUSE_WITNESS = 11 as const;
/** The other slave is faster. */
export const CAUSE_LATENCY = 12 as const;
/** The operator took the slave out of service. */
export const CAUSE_MAINTENANCE = 13 as const;

/** Names of the policy's own causes, by number. Verdicts are called as their detectors are (src/detect/table.ts). */
export const CAUSE_NAMES: Readonly<Partial<Record<number, PolicyCause>>> = {
  [CAUSE_NONE]: 'none',
  [CAUSE_CARRIER]: 'carrier',
  [CAUSE_ADMIN_DOWN]: 'admin-down',
  [CAUSE_UNPLUG]: 'unplug',
  [CAUSE_MANUAL]: 'manual',
  [CAUSE_FAILBACK]: 'failback',
  [CAUSE_JOIN]: 'join',
  [CAUSE_NO_PATH]: 'no-path',
  [CAUSE_LATENCY]: 'latency',
  [CAUSE_MAINTENANCE]: 'maintenance',
};
export type PolicyCause =
  | 'none'
  | 'carrier'
  | 'admin-down'
  | 'unplug'
  | 'manual'
  | 'failback'
  | 'join'
  | 'no-path'
  | 'latency'
  | 'maintenance';

// Flags come in pairs unless noted as single. Shift the primary's bit left by the slave.
/** The slave was healthy at the last look. */
export const FLAG_HEALTHY = 1 as const;
/** The slave has been healthy for the hold-down time and the probes asked for. A latch, since the clock wraps. */
export const FLAG_SETTLED = 4 as const;
/** The slave is unhealthy, and the down delay is over or does not apply. A latch too. */
export const FLAG_DEAD = 16 as const;
/** The slave has not been active since it appeared. */
export const FLAG_FRESH = 64 as const;
/** Single: the slave ordered by the override was left because it was not usable. The return waits for the hold-down. */
export const FLAG_OVERRIDE_LOST = 256 as const;
/** The slave has been healthy for the up delay since it was dead, or became active before that. */
export const FLAG_UP = 512 as const;
/** The slave's present flap has been charged. */
export const FLAG_CHARGED = 2048 as const;
/** The slave has a penalty. */
export const FLAG_PENALISED = 8192 as const;
/** The slave has flapped too often, and is not chosen until its penalty has decayed. */
export const FLAG_SUPPRESSED = 32768 as const;
/** Single: the inactive slave is faster by the margin. */
export const FLAG_FASTER = 1 << 17;
/** Single: the inactive slave has been faster for the hold-down time. */
export const FLAG_FASTER_HELD = 1 << 18;
/** Single: the slave in maintenance is active because the other one failed. The other must settle before it is taken. */
export const FLAG_RECALLED = 1 << 19;
/** Shift of two bits: the override that FLAG_OVERRIDE_LOST is about. */
export const FLAG_ORDER_SHIFT = 20 as const;

export const RANK_NO_CARRIER = 2 as const;

/** First word of an instance's record. */
export function policyBase(index: number): number {
  return index << 5;
}

/** Returns P_RULES: RESELECT_*, and the healthy probes (or looks) in a row, 0 … 65535, before a failback to a slave. */
export function rulesWord(reselect: number, healthyProbes: number): number {
  return reselect | (healthyProbes << 8);
}

/** Returns P_MARGIN. A slave is faster if its round trip is shorter by more than both: µs, 0 … 1,000,000, and percent, 0 … 1000. */
export function marginWord(us: number, percent: number): number {
  return us | (percent << 20);
}

/** Returns P_THRESHOLDS. Penalties are 1 … 32767, and a flap costs 1000. At `suppress` a slave is suppressed until the decay to `reuse`. */
export function thresholdsWord(suppress: number, reuse: number): number {
  return (suppress << 16) | reuse;
}

/** Rank of a link: by Mb/s, then by full duplex. 0 if the driver does not say (-1, or 0). */
export function speedWord(mbps: number, fullDuplex: boolean): number {
  return mbps > 0 && mbps < 0x3fffffff ? mbps * 2 + (fullDuplex ? 1 : 0) : 0;
}

/** Flap damping, named as the configuration's keys. */
export interface DampingConfig {
  halfLifeMs: number;
  suppress: number;
  reuse: number;
  maxSuppressMs: number;
}

/** Options of `initPolicy`, named as the words of the record. */
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
  /** The slave that is active already, where pinned programs are adopted. */
  active?: Path;
  /** True if both slaves have been there before. Then the inactive one may be failed back to, and does not count as joining. */
  known?: boolean;
}

/** Writes a fresh record, with both slaves absent. A record of zeros is not valid. Cold. */
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

/** Returns the bits at FLAG_ORDER_SHIFT for a value of P_OVERRIDE. */
export function orderBits(override: number): number {
  return override === CHOICE_PRIMARY || override === CHOICE_STANDBY ? override << FLAG_ORDER_SHIFT : 0;
}

/** Returns a link word with a verdict, a CAUSE_* or 0. An absent slave stays absent. */
export function withVerdict(link: number, verdict: number): number {
  return link < 0 ? link : (link & 0xff) | (verdict << LINK_VERDICT_SHIFT);
}

/** True if the slave has no carrier and counts as healthy nonetheless. */
export function isSpared(link: number): boolean {
  return link >= 0 && (link & LINK_SPARED) !== 0;
}

/** True if the slave's device really has carrier. */
export function hasCarrier(link: number): boolean {
  return link >= 0 && (link & (LINK_CARRIER | LINK_SPARED)) === LINK_CARRIER;
}

/** Returns the verdict in a link word: a CAUSE_*, or 0 if no detector holds anything against the slave. */
export function verdictOf(link: number): number {
  return link < 0 ? 0 : (link & LINK_VERDICT_MASK) >>> LINK_VERDICT_SHIFT;
}

/** True if the slave is up with carrier, and no detector holds anything against it. */
export function isHealthy(state: Int32Array, base: number, path: number): boolean {
  return isHealthyLink(state[base + P_LINK_PRIMARY + path]!);
}

export function isHealthyLink(link: number): boolean {
  return link >= 0 && (link & (LINK_HEALTHY | LINK_VERDICT_MASK)) === LINK_HEALTHY;
}

/** Rank of an unhealthy slave: 0 absent, 1 down, 2 up without carrier, 3 with a link and a verdict. */
export function rank(state: Int32Array, base: number, path: number): number {
  const link = state[base + P_LINK_PRIMARY + path]!;
  return link < 0 ? 0 : (link & LINK_UP) === 0 ? 1 : (link & LINK_CARRIER) === 0 ? RANK_NO_CARRIER : 3;
}

/** True if the operator has taken the slave out of service. */
export function inMaintenance(state: Int32Array, base: number, path: number): boolean {
  return state[base + P_MAINTENANCE] === path + 1;
}

export function isSuppressed(state: Int32Array, base: number, path: number): boolean {
  return (state[base + P_FLAGS]! & (FLAG_SUPPRESSED << path)) !== 0;
}
