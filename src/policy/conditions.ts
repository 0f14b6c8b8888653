/** Conditions under which the policy would leave the active slave, in words. Cold. */
import { type Path, PRIMARY, type Role, roleOf, STANDBY } from '../device.js';
import { suppressedMs } from './damping.js';
import {
  CHOICE_FASTER,
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  FLAG_DEAD,
  FLAG_FASTER,
  FLAG_FRESH,
  FLAG_OVERRIDE_LOST,
  FLAG_RECALLED,
  FLAG_SETTLED,
  FLAG_UP,
  inMaintenance,
  isHealthy,
  P_DOWN_DELAY_MS,
  P_FASTER_SINCE,
  P_FLAGS,
  P_HOLD_DOWN_MS,
  P_LINK_PRIMARY,
  P_OVERRIDE,
  P_PREFER,
  P_PROBES_PRIMARY,
  P_PROVEN_PRIMARY,
  P_RTT_PRIMARY,
  P_RULES,
  P_SINCE_PRIMARY,
  P_SPEED_PRIMARY,
  P_UP_DELAY_MS,
  RESELECT_BETTER,
  RESELECT_FAILURE,
  verdictOf,
} from './evaluate.js';
import { cureOf, healthOf, type LinkHealth } from './health.js';

/** LinkHealth of a path by its record. */
const healthAt = (record: Int32Array, path: Path): LinkHealth => healthOf(record[P_LINK_PRIMARY + path]!);

const has = (record: Int32Array, flag: number): boolean => (record[P_FLAGS]! & flag) !== 0;

/** Returns how much longer a healthy slave must stay so before a failback, ms. */
export function holdLeft(record: Int32Array, path: Path, nowMs: number): number {
  if (has(record, FLAG_SETTLED << path)) return 0;
  return Math.max(0, record[P_HOLD_DOWN_MS]! - ((nowMs - record[P_SINCE_PRIMARY + path]!) | 0));
}

/** Returns a time for an operator: ms below ten seconds, then seconds. */
const time = (ms: number): string => (ms < 10_000 ? `${ms} ms` : `${Math.ceil(ms / 1000)} s`);

/** Returns what must happen before the policy leaves `active`. To be called when it would stay for now. */
export function conditions(record: Int32Array, active: Path, nowMs: number): string[] {
  const other: Path = active === PRIMARY ? STANDBY : PRIMARY;
  const name = roleOf(other);
  const healthy = isHealthy(record, 0, other);
  const list = healthy ? [] : [`${name} ${cureOf(healthAt(record, other))}`];
  if (!isHealthy(record, 0, active)) {
    if (healthy && !has(record, FLAG_DEAD << active)) list.push(downDelay(record, active, nowMs));
    return list;
  }
  const asked = wanted(record, active, other, nowMs);
  if (asked === undefined) return [...list, `${roleOf(active)} must fail, or ${orderText(record, other)}`];
  const suppressed = suppressedMs(record, 0, other, nowMs);
  if (suppressed > 0) list.push(`${name} is suppressed, since it flapped, for another ${time(suppressed)}`);
  return [...list, ...toBeReady(record, other, nowMs), ...asked];
}

function downDelay(record: Int32Array, active: Path, nowMs: number): string {
  const gone = (nowMs - record[P_SINCE_PRIMARY + active]!) | 0;
  const fault = verdictOf(record[P_LINK_PRIMARY + active]!) === 0 ? 'without carrier' : 'suspected';
  return `${roleOf(active)} must be ${fault} for another ${record[P_DOWN_DELAY_MS]! - gone} ms`;
}

const orderText = (record: Int32Array, other: Path): string =>
  inMaintenance(record, 0, other)
    ? `the maintenance of ${roleOf(other)} be ended by \`vfailover maintenance\``
    : `${roleOf(other)} be ordered by \`vfailover switch\``;

/** Returns the other conditions if the policy would go to the other slave once that is ready. undefined: it would not go. */
function wanted(record: Int32Array, active: Path, other: Path, nowMs: number): string[] | undefined {
  if (inMaintenance(record, 0, other)) return undefined;
  if (inMaintenance(record, 0, active)) return [];
  const order = record[P_OVERRIDE]!;
  if (order === CHOICE_PRIMARY || order === CHOICE_STANDBY) return order === other + 1 ? [] : undefined;
  if (record[P_PREFER] === CHOICE_FASTER) return faster(record, active, other, nowMs);
  if (record[P_PREFER] !== other + 1) return undefined;
  if (has(record, FLAG_FRESH << other)) return [];
  const rule = record[P_RULES]! & 0xff;
  if (rule === RESELECT_FAILURE) return undefined;
  const [now, there] = [record[P_SPEED_PRIMARY + active]!, record[P_SPEED_PRIMARY + other]!];
  if (rule !== RESELECT_BETTER || (now > 0 && there > now)) return [];
  return [`${roleOf(other)} (${speed(there)}) must be faster than ${roleOf(active)} (${speed(now)})`];
}

const speed = (word: number): string =>
  word > 0 ? `${word >> 1} Mb/s ${(word & 1) !== 0 ? 'full' : 'half'} duplex` : 'speed unknown';

function faster(record: Int32Array, active: Path, other: Path, nowMs: number): string[] {
  const rtt = (path: Path, role: Role): string => {
    const us = record[P_RTT_PRIMARY + path]!;
    return `${role}: ${us > 0 ? `${us} µs` : 'not measured'}`;
  };
  const both = `${rtt(other, roleOf(other))}, ${rtt(active, roleOf(active))}`;
  if (!has(record, FLAG_FASTER)) return [`${roleOf(other)} must answer faster by the margin (${both})`];
  const left = record[P_HOLD_DOWN_MS]! - ((nowMs - record[P_FASTER_SINCE]!) | 0);
  return left > 0 ? [`${roleOf(other)} must answer faster for another ${time(left)} (${both})`] : [];
}

/** Returns the conditions that a slave lacks to be ready for a voluntary switch. */
function toBeReady(record: Int32Array, other: Path, nowMs: number): string[] {
  const name = roleOf(other);
  const healthy = isHealthy(record, 0, other);
  const again = healthy ? 'another ' : '';
  const list: string[] = [];
  const order = record[P_OVERRIDE] === other + 1;
  const returns = has(record, FLAG_OVERRIDE_LOST) || has(record, FLAG_RECALLED);
  const age = healthy ? (nowMs - record[P_SINCE_PRIMARY + other]!) | 0 : 0;
  const up = has(record, FLAG_UP << other) ? 0 : record[P_UP_DELAY_MS]! - age;
  const settle = order && !returns ? 0 : healthy ? holdLeft(record, other, nowMs) : record[P_HOLD_DOWN_MS]!;
  const left = Math.max(up, settle);
  if (left > 0) list.push(`${name} must be healthy for ${again}${left} ms`);
  const probes = has(record, FLAG_SETTLED << other) ? 0 : probesLeft(record, other, healthy);
  if (probes > 0 && !(order && !returns)) {
    const what = record[P_PROBES_PRIMARY + other]! < 0 ? 'be found healthy by' : 'answer';
    const unit = record[P_PROBES_PRIMARY + other]! < 0 ? 'look' : 'probe';
    list.push(
      `${name} must ${what} ${again === '' ? '' : 'another '}${probes} ${unit}${probes === 1 ? '' : 's'}`,
    );
  }
  return list;
}

function probesLeft(record: Int32Array, path: Path, healthy: boolean): number {
  const asked = (record[P_RULES]! >>> 8) & 0xffff;
  const row = record[P_PROBES_PRIMARY + path]!;
  const from = record[P_PROVEN_PRIMARY + path]!;
  return healthy ? asked - (row < 0 ? from : row - from) : asked;
}
