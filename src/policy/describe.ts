/** The policy in words, for `status`. Cold: it allocates as it likes and changes nothing. */
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { type Path, PRIMARY, ROLES, type Role, roleOf, STANDBY } from '../device.js';
import { conditions, holdLeft } from './conditions.js';
import { penaltyOf, suppressedMs } from './damping.js';
import {
  armedFallbacks,
  CAUSE_NO_PATH,
  CHOICE_FASTER,
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  evaluate,
  FLAG_OVERRIDE_LOST,
  inMaintenance,
  isHealthy,
  isSpared,
  P_ACTIVE,
  P_CAUSE,
  P_FLAGS,
  P_LINK_PRIMARY,
  P_OVERRIDE,
  P_PREFER,
  P_PROBES_PRIMARY,
  P_PROVEN_PRIMARY,
  P_RTT_PRIMARY,
  P_SINCE_PRIMARY,
  P_SWITCHED_AT,
  P_SWITCHES,
  POLICY_WORDS,
} from './evaluate.js';
import { healthOf, type LinkHealth } from './health.js';

const { VF_ARM_PRIMARY, VF_ARM_STANDBY } = VfArm;

export interface PathDescription {
  readonly role: Role;
  readonly health: LinkHealth;
  /** How long it has been healthy, or not, ms. */
  readonly forMs: number;
  /** How much longer the slave must be healthy before a failback to it, ms. 0 once it may, absent while it is not healthy. */
  readonly holdDownMs?: number;
  /** Out of service by order. */
  readonly maintenance: boolean;
  /** Penalty for the slave's flaps. It halves every half-life, and a flap costs 1000. */
  readonly penalty: number;
  /** How much longer the slave is suppressed because it flapped, ms. 0 if it is not. */
  readonly suppressedMs: number;
  /** Smoothed round-trip time, µs. null: not measured. */
  readonly rttUs: number | null;
}

export interface PolicyDescription {
  readonly active: Role | null;
  readonly desired: Role;
  /** Why `desired` differs from `active`: a CAUSE_*; CAUSE_NO_PATH if neither is healthy. */
  readonly cause: number;
  readonly override: Role | 'auto';
  /** True if the slave ordered by hand is not usable, so that the other one is used. */
  readonly overrideLost: boolean;
  readonly prefer: Role | 'latency' | 'none';
  readonly paths: readonly PathDescription[];
  /** Switches that tier 0 may make by itself. */
  readonly armed: readonly ('to-standby' | 'to-primary')[];
  readonly switches: number;
  /** Time since the last switch, ms. 0 if there was none. */
  readonly sinceSwitchMs: number;
  /** Conditions that must come true before the inactive slave becomes active. Empty if it will now. */
  readonly toSwitch: readonly string[];
  /** Faults in words: no slave is healthy, the active one is in maintenance, and so on. */
  readonly notes: readonly string[];
}

/** Describes the policy's view, and the conditions for a switch. The record is not changed. */
export function describePolicy(state: Int32Array, base: number, nowMs: number): PolicyDescription {
  const record = state.slice(base, base + POLICY_WORDS);
  // Without probes `evaluate` counts looks. This call is no look of the worker's, so it is taken back.
  for (const path of [PRIMARY, STANDBY])
    if (record[P_PROBES_PRIMARY + path]! < 0 && record[P_PROVEN_PRIMARY + path]! > 0)
      record[P_PROVEN_PRIMARY + path]!--;
  const desired = evaluate(record, 0, nowMs) as Path;
  const word = (at: number) => record[at]!;
  const active =
    word(P_ACTIVE) === PRIMARY || word(P_ACTIVE) === STANDBY ? (word(P_ACTIVE) as Path) : undefined;
  const arms = armedFallbacks(record, 0);
  const prefer = word(P_PREFER);
  const stays = active !== undefined && desired === active;
  return {
    active: active === undefined ? null : roleOf(active),
    desired: roleOf(desired),
    cause: word(P_CAUSE),
    override: choice(word(P_OVERRIDE)) ?? 'auto',
    overrideLost: overrideLost(record),
    prefer: prefer === CHOICE_FASTER ? 'latency' : (choice(prefer) ?? 'none'),
    paths: ROLES.map((_, path) => describePath(record, path as Path, nowMs)),
    armed: [
      ...((arms & VF_ARM_PRIMARY) !== 0 ? (['to-standby'] as const) : []),
      ...((arms & VF_ARM_STANDBY) !== 0 ? (['to-primary'] as const) : []),
    ],
    switches: word(P_SWITCHES),
    sinceSwitchMs: word(P_SWITCHES) === 0 ? 0 : (nowMs - word(P_SWITCHED_AT)) | 0,
    toSwitch: stays ? conditions(record, active, nowMs) : [],
    notes: notes(record, desired),
  };
}

function choice(word: number): Role | undefined {
  return word === CHOICE_PRIMARY ? 'primary' : word === CHOICE_STANDBY ? 'standby' : undefined;
}

const overrideLost = (record: Int32Array): boolean =>
  choice(record[P_OVERRIDE]!) !== undefined && (record[P_FLAGS]! & FLAG_OVERRIDE_LOST) !== 0;

function describePath(record: Int32Array, path: Path, nowMs: number): PathDescription {
  const rtt = record[P_RTT_PRIMARY + path]!;
  return {
    role: roleOf(path),
    health: healthOf(record[P_LINK_PRIMARY + path]!),
    forMs: (nowMs - record[P_SINCE_PRIMARY + path]!) | 0,
    ...(isHealthy(record, 0, path) && { holdDownMs: holdLeft(record, path, nowMs) }),
    maintenance: inMaintenance(record, 0, path),
    penalty: Math.round(penaltyOf(record, 0, path, nowMs)),
    suppressedMs: suppressedMs(record, 0, path, nowMs),
    rttUs: rtt > 0 ? rtt : null,
  };
}

/** Notes for the operator about where the traffic is. */
function notes(record: Int32Array, desired: Path): string[] {
  const list: string[] = [];
  const name = roleOf(desired);
  if (record[P_CAUSE] === CAUSE_NO_PATH)
    list.push(
      `no slave is healthy: the ${name} (${healthOf(record[P_LINK_PRIMARY + desired]!)}) is the less bad one`,
    );
  if (isSpared(record[P_LINK_PRIMARY + desired]!))
    list.push(
      `the ${name} has no carrier, and is kept until all detectors that watch it say that it is dead`,
    );
  if (inMaintenance(record, 0, desired))
    list.push(`the ${name} carries traffic although it is in maintenance: the other slave is not usable`);
  if (overrideLost(record)) list.push('the slave that was ordered is not usable: the other one is used');
  return list;
}
