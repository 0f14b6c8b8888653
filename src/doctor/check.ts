/** Building blocks of checks. Pure. */
import type { Probe } from 'bpf-loader-ts';
import type { Check, Status } from './findings.js';

/** A check that found what it needs; `hint` is shown as its fix. */
export function ok(name: string, needed: string, found: string, hint: string | null = null): Check {
  return { name, status: 'ok', found, needed, cost: null, fix: hint };
}

/** A check that did not find what it needs. */
export function problem(check: Check & { status: Exclude<Status, 'ok'>; cost: string; fix: string }): Check {
  return check;
}

export interface Absence {
  needed: string;
  /** What its absence is. */
  status: 'warn' | 'fail';
  cost: string;
  fix: string;
}

export const AS_ROOT = 'run vfailover doctor as root (sudo vfailover doctor), where it can find out';

/** A check made of one probe: `unknown` where that was inconclusive. */
export function probed(name: string, { answer, detail }: Probe, absence: Absence): Check {
  const { needed, status, cost, fix } = absence;
  if (answer === 'supported') return ok(name, needed, 'present');
  if (answer === 'unsupported') return problem({ status, name, needed, found: detail, cost, fix });
  // Where the privileges are there, more of them would not help.
  const refused = detail.includes('a security module');
  return problem({
    status: 'unknown',
    name,
    needed,
    found: detail,
    cost: `cannot tell; if not: ${cost}`,
    fix: refused ? fix : AS_ROOT,
  });
}

/** Whether `6.1.0-28-amd64` is at least 6.1; undefined for a release that does not begin with two numbers. */
export function releaseAtLeast(release: string, major: number, minor: number): boolean | undefined {
  const match = /^(\d+)\.(\d+)/.exec(release);
  if (match === null) return undefined;
  const [have, haveMinor] = [Number(match[1]), Number(match[2])];
  return have > major || (have === major && haveMinor >= minor);
}

/** `a, b and c`. */
export function list(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
