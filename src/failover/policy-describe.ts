/** The policy in words, for `status`. Cold: it allocates as it likes and changes nothing. */
import { type Path, PRIMARY, ROLES, type Role, roleOf, STANDBY } from './device.js';
import {
  ARM_TO_PRIMARY,
  ARM_TO_STANDBY,
  armedFallbacks,
  CAUSE_NAMES,
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  evaluate,
  FLAG_OVERRIDE_LOST,
  FLAG_SETTLED,
  isHealthy,
  LINK_CARRIER,
  LINK_UP,
  P_ACTIVE,
  P_CAUSE,
  P_DOWN_DELAY_MS,
  P_FLAGS,
  P_HOLD_DOWN_MS,
  P_LINK_PRIMARY,
  P_OVERRIDE,
  P_PREFER,
  P_SINCE_PRIMARY,
  P_SWITCHED_AT,
  P_SWITCHES,
  POLICY_WORDS,
  verdictOf,
} from './policy.js';

/** `suspect`: its link is up, and a detector has something against it. */
export type PathHealth = 'healthy' | 'suspect' | 'no-carrier' | 'down' | 'absent';

export interface PathDescription {
  readonly role: Role;
  readonly health: PathHealth;
  /** What detectors have against it; absent if nothing. */
  readonly verdict?: (typeof CAUSE_NAMES)[number];
  /** How long it has been healthy, or not, ms. */
  readonly forMs: number;
  /**
   * How much longer it must be healthy before a failback to it, ms; 0 once it may, absent while it is not
   * healthy.
   */
  readonly holdDownMs?: number;
}

export interface PolicyDescription {
  readonly active: Role | null;
  readonly desired: Role;
  /** Why `desired` differs from `active`; `no-path` if neither is healthy. */
  readonly cause: (typeof CAUSE_NAMES)[number];
  readonly override: Role | 'auto';
  /** The path ordered by hand is not usable, so the other one is used. */
  readonly overrideLost: boolean;
  readonly prefer: Role | 'none';
  readonly paths: readonly PathDescription[];
  /** What tier 0 may do by itself. */
  readonly armed: readonly ('to-standby' | 'to-primary')[];
  readonly switches: number;
  /** Since the last switch, ms; 0 if there was none. */
  readonly sinceSwitchMs: number;
  /** What must happen for the path that is not active to become so. Empty: it will, now. */
  readonly toSwitch: readonly string[];
}

/** Says what the policy thinks, and what it would take to switch. The record is not changed. */
export function describePolicy(state: Int32Array, base: number, nowMs: number): PolicyDescription {
  const record = state.slice(base, base + POLICY_WORDS);
  const desired = evaluate(record, 0, nowMs) as Path;
  const word = (at: number) => record[at]!;
  const active =
    word(P_ACTIVE) === PRIMARY || word(P_ACTIVE) === STANDBY ? (word(P_ACTIVE) as Path) : undefined;
  const arms = armedFallbacks(record, 0);
  const flags = word(P_FLAGS);
  return {
    active: active === undefined ? null : roleOf(active),
    desired: roleOf(desired),
    cause: CAUSE_NAMES[word(P_CAUSE)] ?? 'none',
    override: choice(word(P_OVERRIDE)) ?? 'auto',
    overrideLost: choice(word(P_OVERRIDE)) !== undefined && (flags & FLAG_OVERRIDE_LOST) !== 0,
    prefer: choice(word(P_PREFER)) ?? 'none',
    paths: ROLES.map((_, path) => describePath(record, path as Path, nowMs)),
    armed: [
      ...((arms & ARM_TO_STANDBY) !== 0 ? (['to-standby'] as const) : []),
      ...((arms & ARM_TO_PRIMARY) !== 0 ? (['to-primary'] as const) : []),
    ],
    switches: word(P_SWITCHES),
    sinceSwitchMs: word(P_SWITCHES) === 0 ? 0 : (nowMs - word(P_SWITCHED_AT)) | 0,
    toSwitch: active === undefined || desired !== active ? [] : conditions(record, active, nowMs),
  };
}

function choice(word: number): Role | undefined {
  return word === CHOICE_PRIMARY ? 'primary' : word === CHOICE_STANDBY ? 'standby' : undefined;
}

function healthOf(record: Int32Array, path: Path): PathHealth {
  if (isHealthy(record, 0, path)) return 'healthy';
  const link = record[P_LINK_PRIMARY + path]!;
  if (link < 0) return 'absent';
  return (link & LINK_UP) === 0 ? 'down' : (link & LINK_CARRIER) === 0 ? 'no-carrier' : 'suspect';
}

function describePath(record: Int32Array, path: Path, nowMs: number): PathDescription {
  const health = healthOf(record, path);
  const forMs = (nowMs - record[P_SINCE_PRIMARY + path]!) | 0;
  const wait = health === 'healthy' ? { holdDownMs: holdLeft(record, path, nowMs) } : {};
  const verdict = verdictOf(record[P_LINK_PRIMARY + path]!);
  const against = verdict === 0 ? {} : { verdict: CAUSE_NAMES[verdict] ?? 'none' };
  return { role: roleOf(path), health, ...against, forMs, ...wait };
}

function holdLeft(record: Int32Array, path: Path, nowMs: number): number {
  if ((record[P_FLAGS]! & (FLAG_SETTLED << path)) !== 0) return 0;
  return record[P_HOLD_DOWN_MS]! - ((nowMs - record[P_SINCE_PRIMARY + path]!) | 0);
}

const CURE: Readonly<Record<Exclude<PathHealth, 'healthy'>, string>> = {
  absent: 'must be plugged in and join',
  down: 'must be set up',
  'no-carrier': 'must get carrier',
  suspect: 'must satisfy its detectors',
};

/** What must happen before the policy leaves `active`. */
function conditions(record: Int32Array, active: Path, nowMs: number): string[] {
  const other: Path = active === PRIMARY ? STANDBY : PRIMARY;
  const name = roleOf(other);
  const health = healthOf(record, other);
  const list = health === 'healthy' ? [] : [`${name} ${CURE[health]}`];
  const wish = choice(record[P_OVERRIDE]!) ?? choice(record[P_PREFER]!);
  if (wish === name) {
    const left = health === 'healthy' ? holdLeft(record, other, nowMs) : record[P_HOLD_DOWN_MS]!;
    if (left > 0)
      list.push(`${name} must be healthy for ${health === 'healthy' ? 'another ' : ''}${left} ms`);
  } else if (isHealthy(record, 0, active)) {
    list.push(`${roleOf(active)} must fail, or ${name} be ordered by \`vfailover switch\``);
  } else if (health === 'healthy') {
    const gone = (nowMs - record[P_SINCE_PRIMARY + active]!) | 0;
    const fault = healthOf(record, active) === 'suspect' ? 'suspected' : 'without carrier';
    list.push(`${roleOf(active)} must be ${fault} for another ${record[P_DOWN_DELAY_MS]! - gone} ms`);
  }
  return list;
}
