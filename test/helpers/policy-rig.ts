import fc from 'fast-check';
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

export const healthy = (link: number) => link >= 0 && (link & 0xff03) === 3;

/** One step of a random walk: time passes, then some of the inputs change, then the policy decides. */
export interface Step {
  ms: number;
  link: [path: number, state: number] | null;
  order: number | null;
  /** One of the inputs that are neither link nor order. */
  input: Input | null;
  /** The programs move the traffic themselves, if they are armed to. */
  tier0: boolean;
  /** The worker obeys the decision. */
  obeys: boolean;
}

interface Input {
  path: number;
  what: 'maintenance' | 'rtt' | 'speed' | 'probes' | 'verdict' | 'answered' | 'none';
  value: number;
}

const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 100 - weight, arbitrary: fc.constant(null) }, { weight, arbitrary });

const PATH = fc.constantFrom(PRI, STB);
const LINK = fc.tuple(PATH, fc.constantFrom(UP, UP, UP, NO_CARRIER, DOWN, GONE));
const ORDER = fc.constantFrom(0, 0, 1, 2);
const INPUT = fc.record<Input>({
  path: PATH,
  what: fc.oneof(
    ...(['maintenance', 'rtt', 'speed', 'probes', 'verdict'] as const).map((what) => fc.constant(what)),
    { weight: 2, arbitrary: fc.constant('none' as const) },
    { weight: 5, arbitrary: fc.constant('answered' as const) },
  ),
  value: fc.nat(299),
});

/** Random walks over link states; over orders as well; over verdicts, maintenance, probes, round trips and speeds as well. */
export const steps = (over: 'links' | 'orders' | 'everything'): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record<Step>({
      ms: fc.constantFrom(0, 1, 7, 90, 200, 1000),
      link: often(40, LINK),
      order: over === 'links' ? fc.constant(null) : often(10, ORDER),
      input: over === 'everything' ? INPUT : fc.constant(null),
      tier0: often(5, fc.constant(true)).map(Boolean),
      obeys: often(10, fc.constant(true)).map((refuses) => !refuses),
    }),
    { maxLength: 600, size: 'max' },
  );

function set(rig: Rig, { path, what, value }: Input): void {
  const probes = P.P_PROBES_PRIMARY + path;
  if (what === 'maintenance') rig.set(P.P_MAINTENANCE, value % 3);
  else if (what === 'rtt') rig.set(P.P_RTT_PRIMARY + path, value - 20);
  else if (what === 'speed') rig.set(P.P_SPEED_PRIMARY + path, value % 3);
  else if (what === 'probes') rig.set(probes, (value % 3) - 1);
  else if (what === 'verdict' && rig.get(P.P_LINK_PRIMARY + path) >= 0)
    rig.set(P.P_LINK_PRIMARY + path, P.withVerdict(UP, P.CAUSE_PROBE));
  else if (what === 'answered' && rig.get(probes) >= 0) rig.set(probes, rig.get(probes) + 1);
}

/** Takes a walk. `check` sees every decision. Returns the decisions. */
export function walk(
  taken: readonly Step[],
  startMs: number,
  config: P.PolicyConfig,
  check?: (w: Walk) => void,
): string[] {
  const rig = new Rig(config, startMs);
  /** Since when each path has been seen healthy, in walk time; NaN while it is not. */
  const since = [Number.NaN, Number.NaN];
  let at = 0;
  const decisions: string[] = [];
  for (const { ms, link, order, input, tier0, obeys } of taken) {
    at += ms;
    rig.wait(ms);
    if (link) rig.set(P.P_LINK_PRIMARY + link[0], link[1]);
    if (order !== null) rig.set(P.P_OVERRIDE, order);
    if (input) set(rig, input);
    const left = rig.get(P.P_ACTIVE);
    if (
      tier0 &&
      left >= 0 &&
      P.armedFallbacks(rig.state, rig.base) & (1 << left) &&
      rig.get(P.P_DESIRED) === left
    ) {
      // The move restarts the clock of the path that was left.
      rig.accept(left ^ 1);
      if (!Number.isNaN(since[left])) since[left] = at;
    }
    const active = rig.get(P.P_ACTIVE);
    for (const p of [PRI, STB]) {
      if (!healthy(rig.get(P.P_LINK_PRIMARY + p))) since[p] = Number.NaN;
      else if (Number.isNaN(since[p])) since[p] = at;
    }
    const [path, cause] = rig.look();
    decisions.push(`${path}${cause}`);
    check?.({ rig, active, path, cause, healthyFor: since.map((from) => at - from) });
    if (obeys) rig.accept(path);
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

export const WRAP = 2 ** 31 - 50_000;
