import { expect } from 'vitest';
import type { Path } from '../../src/device.js';
import { describePolicy } from '../../src/policy/describe.js';
import * as P from '../../src/policy/evaluate.js';

export const [PRI, STB] = [0, 1] as const;
export const UP = P.LINK_HEALTHY;
export const NO_CARRIER = P.LINK_UP;
export const DOWN = 0;
export const GONE = P.LINK_ABSENT;

/** A record in the midst of others, so that a write beside it is seen. */
export class Rig {
  readonly state = new Int32Array(3 * P.POLICY_WORDS).fill(0x5a5a5a5a);
  readonly base = P.policyBase(1);
  now: number;

  constructor(config: P.PolicyConfig = {}, now = 1000) {
    P.initPolicy(this.state, this.base, config);
    this.now = now | 0;
  }

  get(word: number) {
    return this.state[this.base + word]!;
  }

  set(word: number, value: number) {
    this.state[this.base + word] = value;
    return this;
  }

  links(primary: number, standby: number) {
    return this.set(P.P_LINK_PRIMARY, primary).set(P.P_LINK_STANDBY, standby);
  }

  wait(ms: number) {
    this.now = (this.now + ms) | 0;
    return this;
  }

  /** What it decides, and why. */
  look(): [path: number, cause: number] {
    const path = P.evaluate(this.state, this.base, this.now);
    expect(this.get(P.P_DESIRED)).toBe(path);
    return [path, this.get(P.P_CAUSE)];
  }

  accept(path: number) {
    P.accept(this.state, this.base, path, this.now);
    return this;
  }

  /** Decides and obeys. */
  turn(): [path: number, cause: number] {
    const decided = this.look();
    this.accept(decided[0]);
    return decided;
  }

  describe() {
    return describePolicy(this.state, this.base, this.now);
  }

  untouchedElsewhere() {
    return [...this.state.slice(0, this.base), ...this.state.slice(this.base + P.POLICY_WORDS)].every(
      (word) => word === 0x5a5a5a5a,
    );
  }
}

/** Both healthy, on the primary, with every timer run out. */
export function steady(config: P.PolicyConfig = {}, active: Path = PRI) {
  const rig = new Rig({ ...config, active }).links(UP, UP);
  rig.look();
  rig.wait(1_000_000);
  return rig;
}

/** mulberry32: a seeded generator of uniform numbers in [0, 1). */
export function generator(seed: number) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const healthy = (link: number) => link >= 0 && (link & 0xff03) === 3;

/** Changes one of the inputs that are neither link nor order. */
function inputs(rig: Rig, random: () => number): void {
  const path = random() < 0.5 ? PRI : STB;
  const what = Math.floor(random() * 12);
  if (what === 0) rig.set(P.P_MAINTENANCE, Math.floor(random() * 3));
  else if (what === 1) rig.set(P.P_RTT_PRIMARY + path, Math.floor(random() * 300) - 20);
  else if (what === 2) rig.set(P.P_SPEED_PRIMARY + path, Math.floor(random() * 3));
  else if (what === 3) rig.set(P.P_PROBES_PRIMARY + path, Math.floor(random() * 3) - 1);
  else if (what === 4 && rig.get(P.P_LINK_PRIMARY + path) >= 0)
    rig.set(P.P_LINK_PRIMARY + path, P.withVerdict(UP, P.CAUSE_PROBE));
  else if (what > 6 && rig.get(P.P_PROBES_PRIMARY + path) >= 0)
    rig.set(P.P_PROBES_PRIMARY + path, rig.get(P.P_PROBES_PRIMARY + path) + 1);
}

/**
 * Walks at random; `check` sees every decision. `everything`: with orders, verdicts, maintenance, probes, round trips and speeds as well.
 * Returns the decisions.
 */
export function walk(
  seed: number,
  startMs: number,
  config: P.PolicyConfig,
  orders: boolean | 'everything',
  check?: (w: Walk) => void,
) {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!;
  const rig = new Rig(config, startMs);
  /** Since when each path has been seen healthy, in walk time; NaN while it is not. */
  const since = [Number.NaN, Number.NaN];
  let at = 0;
  const decisions: string[] = [];
  for (let step = 0; step < 2000; step += 1) {
    const ms = pick([0, 1, 7, 90, 200, 1000]);
    at += ms;
    rig.wait(ms);
    if (random() < 0.4)
      rig.set(P.P_LINK_PRIMARY + pick([PRI, STB]), pick([UP, UP, UP, NO_CARRIER, DOWN, GONE]));
    if (orders && random() < 0.1) rig.set(P.P_OVERRIDE, pick([0, 0, 1, 2]));
    if (orders === 'everything') inputs(rig, random);
    if (random() < 0.05 && rig.get(P.P_ACTIVE) >= 0) {
      // Tier 0 moves, and with it the clock of the path it left.
      const left = rig.get(P.P_ACTIVE);
      if (P.armedFallbacks(rig.state, rig.base) & (1 << left) && rig.get(P.P_DESIRED) === left) {
        rig.accept(left ^ 1);
        if (!Number.isNaN(since[left])) since[left] = at;
      }
    }
    const active = rig.get(P.P_ACTIVE);
    for (const p of [PRI, STB]) {
      if (!healthy(rig.get(P.P_LINK_PRIMARY + p))) since[p] = Number.NaN;
      else if (Number.isNaN(since[p])) since[p] = at;
    }
    const [path, cause] = rig.look();
    decisions.push(`${path}${cause}`);
    check?.({ rig, active, path, cause, healthyFor: since.map((from) => at - from) });
    if (random() < 0.9) rig.accept(path);
  }
  expect(rig.untouchedElsewhere()).toBe(true);
  return decisions;
}

export interface Walk {
  rig: Rig;
  active: number;
  path: number;
  cause: number;
  healthyFor: number[];
}

export const SEEDS = Array.from({ length: 12 }, (_, i) => i * 7919 + 1);
export const WRAP = 2 ** 31 - 50_000;
