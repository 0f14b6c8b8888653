import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import {
  FLAP_PENALTY,
  penaltyBits,
  penaltyOf,
  restorePenalty,
  suppressedMs,
} from '../../src/policy/damping.js';
import * as P from '../../src/policy/evaluate.js';
import { healthy, NO_CARRIER, PRI, Rig, STB, steady, steps, UP, WRAP, walk } from '../helpers/policy-rig.js';

const DAMPING: P.DampingConfig = { halfLifeMs: 5000, suppress: 2000, reuse: 1000, maxSuppressMs: 20_000 };
const damped = { damping: DAMPING };

/** The active primary loses carrier for `ms` and is healthy again. */
function flap(rig: Rig, ms = 10): void {
  rig.links(NO_CARRIER, UP).turn();
  rig.wait(ms).links(UP, UP);
}

const penalty = (rig: Rig, path: number = PRI) => penaltyOf(rig.state, rig.base, path, rig.now);
const left = (rig: Rig, path: number = PRI) => suppressedMs(rig.state, rig.base, path, rig.now);

describe('a penalty outlives its record', () => {
  /** A fresh record, with other settings maybe, that goes on with what `rig` had after `ms` without anybody. */
  function next(rig: Rig, ms: number, config: P.PolicyConfig = damped): Rig {
    const later = new Rig({ ...config, active: STB, known: true }, rig.now + ms);
    for (const path of [PRI, STB])
      restorePenalty(later.state, later.base, path, {
        bits: penaltyBits(rig.state, rig.base, path),
        reuseAtMs: rig.get(P.P_REUSE_AT_PRIMARY + path),
        nowMs: later.now,
      });
    return later.links(UP, UP);
  }

  function suppressed(): Rig {
    const rig = steady(damped);
    for (let i = 0; i < 4; i++) {
      rig.links(NO_CARRIER, UP).turn();
      rig.wait(1).links(UP, UP).turn();
      rig.wait(1).turn();
    }
    expect(left(rig)).toBeGreaterThan(5000);
    return rig;
  }

  it('with the time that is left', () => {
    const rig = suppressed();
    const later = next(rig, 1000);
    expect(left(later)).toBe(left(rig) - 1000);
    expect(penalty(later)).toBeCloseTo(penalty(rig.wait(1000)), 0);
    expect(left(later, STB)).toBe(0);
    later.turn();
    expect(later.get(P.P_ACTIVE)).toBe(STB);
    later.wait(left(later)).turn();
    expect(later.get(P.P_ACTIVE)).toBe(PRI);
  });

  it('decays meanwhile', () => {
    const rig = suppressed();
    const later = next(rig, left(rig) + 5000);
    expect(left(later)).toBe(0);
    expect(penalty(later)).toBeCloseTo(500, 0);
    const muchLater = next(rig, left(rig) + 50_000);
    muchLater.turn();
    expect(penalty(muchLater)).toBe(0);
  });

  it('not where damping is off now, and not longer than is allowed now', () => {
    const rig = suppressed();
    const off = next(rig, 0, {});
    expect([left(off), penalty(off)]).toEqual([0, 0]);
    const short = next(rig, 0, { damping: { ...DAMPING, maxSuppressMs: 5000 } });
    expect(left(short)).toBe(5000);
  });
});

describe('penalty', () => {
  it('is 1000 a flap and halves every half-life', () => {
    const rig = steady(damped);
    flap(rig, 0);
    expect(penalty(rig)).toBeCloseTo(FLAP_PENALTY, 0);
    rig.turn();
    expect(penalty(rig.wait(5000))).toBeCloseTo(500, 0);
    expect(penalty(rig.wait(5000))).toBeCloseTo(250, 0);
    rig.turn();
    rig.links(NO_CARRIER, UP).turn();
    expect(penalty(rig)).toBeCloseTo(1250, 0);
  });

  it('is forgotten after ten half-lives below the reuse threshold', () => {
    const rig = steady(damped);
    flap(rig, 0);
    rig.turn();
    rig.wait(49_999).turn();
    expect(penalty(rig)).toBeGreaterThan(0);
    rig.wait(1).turn();
    expect(penalty(rig)).toBe(0);
  });

  it('is not above what decays to the reuse threshold in the longest time', () => {
    const rig = steady(damped);
    for (let i = 0; i < 100; i += 1) {
      rig.links(NO_CARRIER, UP).turn();
      rig.wait(1).links(UP, UP).turn();
      rig.wait(1).turn();
    }
    expect(penalty(rig)).toBeLessThanOrEqual(1000 * 2 ** 4);
    expect(left(rig)).toBeLessThanOrEqual(20_000);
    expect(left(rig)).toBeGreaterThan(19_900);
  });

  it('is not there without damping', () => {
    const rig = steady();
    for (let i = 0; i < 10; i += 1) flap(rig);
    expect([penalty(rig), left(rig)]).toEqual([0, 0]);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('is charged once for a flap that tier 0 saw first, and then the worker', () => {
    const rig = steady(damped);
    rig.accept(STB);
    rig.look(); // in the same turn: the look at the links was older than the flip
    rig.links(NO_CARRIER, UP).wait(1).turn();
    expect(penalty(rig)).toBeCloseTo(1000, -1);
    rig.links(UP, UP).wait(100).turn();
    rig.wait(1).turn();
    rig.links(NO_CARRIER, UP).turn();
    expect(penalty(rig)).toBeGreaterThan(1900);
  });

  it('is not for orders, maintenance, or a loss that the down delay rode out', () => {
    const rig = steady({ ...damped, downDelayMs: 50 });
    rig.set(P.P_OVERRIDE, P.CHOICE_STANDBY).turn();
    rig.set(P.P_OVERRIDE, P.CHOICE_NONE).turn();
    rig.set(P.P_MAINTENANCE, P.CHOICE_PRIMARY).turn();
    rig.set(P.P_MAINTENANCE, P.CHOICE_NONE).turn();
    rig.links(NO_CARRIER, UP).turn();
    rig.wait(49).turn();
    rig.links(UP, UP).turn();
    expect([penalty(rig, PRI), penalty(rig, STB)]).toEqual([0, 0]);
    expect(rig.get(P.P_SWITCHES)).toBe(4);
  });
});

describe('a path that flaps', () => {
  it('is suppressed at the threshold, says for how long, and is returned to after that', () => {
    const rig = steady({ ...damped, holdDownMs: 100 });
    for (let i = 0; i < 2; i += 1) {
      flap(rig);
      rig.turn();
      expect(rig.wait(100).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
    }
    flap(rig);
    expect(rig.turn()).toEqual([STB, P.CAUSE_NONE]);
    const ms = left(rig);
    expect(ms).toBeGreaterThan(5000 * Math.log2(2.8));
    expect(ms).toBeLessThan(5000 * Math.log2(3));
    expect(rig.describe().paths[0]).toMatchObject({ suppressedMs: ms, health: 'up' });
    expect(rig.wait(100).describe().toSwitch).toEqual([
      `primary is suppressed, since it flapped, for another ${ms - 100} ms`,
    ]);
    expect(rig.wait(ms - 101).turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.wait(1).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('is not armed as a target meanwhile, but taken by the worker when the other dies', () => {
    const rig = steady(damped);
    for (let i = 0; i < 3; i += 1) {
      flap(rig);
      rig.turn();
      rig.wait(1).turn();
    }
    expect(rig.turn()[0]).toBe(STB);
    expect(P.armedFallbacks(rig.state, rig.base)).toBe(P.ARM_TO_STANDBY | P.ARM_SILENT_TO_STANDBY);
    expect(rig.links(UP, NO_CARRIER).turn()).toEqual([PRI, P.CAUSE_CARRIER]);
  });

  it('is obeyed to when ordered', () => {
    const rig = steady(damped);
    for (let i = 0; i < 3; i += 1) {
      flap(rig);
      rig.turn();
      rig.wait(1).turn();
    }
    expect(rig.set(P.P_OVERRIDE, P.CHOICE_PRIMARY).turn()).toEqual([PRI, P.CAUSE_MANUAL]);
    // But once that was lost, the return waits for the decay.
    rig.wait(1).turn();
    flap(rig);
    expect(rig.wait(1000).turn()[0]).toBe(STB);
    expect(rig.wait(left(rig)).turn()).toEqual([PRI, P.CAUSE_MANUAL]);
  });

  it('is free again after a look that came weeks late', () => {
    for (const late of [2 ** 31 + 5000, 2 ** 31 - 5000, 2 ** 32 - 40_000]) {
      const rig = steady(damped);
      for (let i = 0; i < 3; i += 1) {
        flap(rig);
        rig.turn();
        rig.wait(1).turn();
      }
      rig.wait(late).turn();
      expect(rig.wait(1).turn()[0]).toBe(PRI);
    }
  });
});

/** A primary that is up for `on` and down for `off`, again and again, looked at every ms. Returns the switches. */
function flapping(config: P.PolicyConfig, on: number, off: number, total: number, start: number): number {
  const rig = new Rig({ ...config, active: PRI }, start).links(UP, UP);
  rig.turn();
  let onDead = 0;
  for (let at = 0; at < total; at += 1) {
    rig.links(at % (on + off) < on ? UP : NO_CARRIER, UP).wait(1);
    P.accept(rig.state, rig.base, P.evaluate(rig.state, rig.base, rig.now), rig.now);
    if (rig.get(P.P_ACTIVE) === PRI && rig.get(P.P_LINK_PRIMARY) !== UP) onDead += 1;
  }
  expect(onDead).toBe(0);
  return rig.get(P.P_SWITCHES);
}

describe('properties', () => {
  it('switches no more often than the damping allows, however the primary flaps', () => {
    const total = 120_000;
    // Until the first suppression as many flaps as the threshold bears; then one return per time that the decay takes at least.
    const pauses = total / (DAMPING.halfLifeMs * Math.log2(DAMPING.suppress / DAMPING.reuse));
    const bound = 2 * (DAMPING.suppress / FLAP_PENALTY + 1 + pauses * 2);
    for (const [on, off] of [
      [20, 5],
      [300, 50],
      [600, 600],
      [1500, 100],
      [4000, 20],
    ] as const) {
      const config = { ...damped, holdDownMs: 10 };
      const switches = flapping(config, on, off, total, WRAP);
      expect(switches).toBeLessThanOrEqual(bound);
      expect(switches).toBeGreaterThan(1);
      expect(flapping({ holdDownMs: 10 }, on, off, total, WRAP)).toBeGreaterThan(
        2 * (total / (on + off)) - 4,
      );
      expect(flapping(config, on, off, total, 0)).toBe(switches);
    }
  }, 60_000);

  it('never goes to a suppressed path of its own will, and never leaves both idle', () => {
    let suppressed = 0;
    const choices = fc.record({ prefer: fc.nat(3), healthyProbes: fc.nat(2) });
    const property = fc.property(steps('everything'), choices, (taken, chosen) => {
      const config = { ...damped, holdDownMs: 100, marginUs: 5, ...chosen } as P.PolicyConfig;
      walk(taken, WRAP, config, ({ rig, active, path, cause }) => {
        const ok = [PRI, STB].map((p) => healthy(rig.get(P.P_LINK_PRIMARY + p)));
        if (ok.some(Boolean)) expect(ok[path]).toBe(true);
        expect(cause === P.CAUSE_NO_PATH).toBe(!ok.some(Boolean));
        if (left(rig, PRI) + left(rig, STB) > 0) suppressed += 1;
        if (active < 0 || path === active || !ok[active]) return;
        const ordered = [P.CAUSE_MANUAL, P.CAUSE_MAINTENANCE] as number[];
        if (!ordered.includes(cause)) expect(left(rig, path)).toBe(0);
        else if (cause === P.CAUSE_MANUAL) expect(rig.get(P.P_OVERRIDE)).toBe(path + 1);
        else expect(rig.get(P.P_MAINTENANCE)).toBe(active + 1);
        if (cause !== P.CAUSE_MAINTENANCE) expect(rig.get(P.P_MAINTENANCE)).not.toBe(path + 1);
      });
    });
    fc.assert(property, walks(80));
    expect(suppressed).toBeGreaterThan(1000);
  });

  it('decides alike at any time of the clock with everything on', () => {
    const choices = fc.record({
      upDelayMs: fc.constantFrom(0, 90),
      prefer: fc.nat(3),
      reselect: fc.nat(2),
      healthyProbes: fc.nat(4),
    });
    const property = fc.property(steps('everything'), choices, (taken, chosen) => {
      const config = { ...damped, holdDownMs: 300, ...chosen } as P.PolicyConfig;
      const plain = walk(taken, 0, config);
      for (const start of [WRAP, -50_000, 2 ** 31 - 1]) expect(walk(taken, start, config)).toEqual(plain);
    });
    fc.assert(property, walks(80));
  });

  it('arms nothing that it would not decide at once, and all of it but last resorts', () => {
    const property = fc.property(steps('everything'), (taken) => {
      walk(taken, WRAP, { ...damped, holdDownMs: 300 }, ({ rig }) => {
        const arms = P.armedFallbacks(rig.state, rig.base);
        for (const p of [PRI, STB]) {
          if (!healthy(rig.get(P.P_LINK_PRIMARY + p))) continue;
          const copy = rig.state.slice();
          copy[rig.base + P.P_ACTIVE] = p;
          copy[rig.base + P.P_LINK_PRIMARY + p]! &= ~P.LINK_CARRIER;
          const other = p ^ 1;
          const last = left(rig, other) > 0 || P.inMaintenance(rig.state, rig.base, other);
          const leaves = P.evaluate(copy, rig.base, rig.now) !== p;
          expect((arms & (1 << p)) !== 0).toBe(leaves && !last);
        }
      });
    });
    fc.assert(property, walks(80));
  });

  it('describes without a change, and agrees with what it decides', () => {
    const choices = fc.record({ reselect: fc.nat(2), prefer: fc.nat(3) });
    const property = fc.property(steps('everything'), choices, (taken, chosen) => {
      const config = { ...damped, holdDownMs: 300, upDelayMs: 120, healthyProbes: 3, ...chosen };
      walk(taken, WRAP, config as P.PolicyConfig, ({ rig, path, active }) => {
        const before = rig.state.slice();
        const text = rig.describe();
        expect(rig.state).toEqual(before);
        expect(text.desired).toBe(path === PRI ? 'primary' : 'standby');
        if (active >= 0) expect(text.toSwitch.length > 0, JSON.stringify(text)).toBe(path === active);
      });
    });
    fc.assert(property, walks(20));
  });
});
