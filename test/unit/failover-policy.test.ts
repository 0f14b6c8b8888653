import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VfCause } from '../../bpf/vfailover.bpf.js';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import * as P from '../../src/policy/evaluate.js';
import {
  DOWN,
  GONE,
  healthy,
  NO_CARRIER,
  PRI,
  Rig,
  STB,
  steady,
  steps,
  UP,
  WRAP,
  walk,
} from '../helpers/policy-rig.js';

describe('layout', () => {
  it('has a power of two of words, a name for each cause, and no two words in one place', () => {
    expect(Math.log2(P.POLICY_WORDS) % 1).toBe(0);
    expect(P.policyBase(5)).toBe(5 * P.POLICY_WORDS);
    const causes = Object.entries(P).filter(([name]) => /^CAUSE_(?!NAMES)/.test(name));
    expect(causes.map(([, value]) => value as number).sort((a, b) => a - b)).toEqual(
      P.CAUSE_NAMES.map((_, number) => number),
    );
    const words = Object.entries(P).filter(([name]) => name.startsWith('P_'));
    expect(new Set(words.map(([, value]) => value)).size).toBe(words.length);
    expect(Math.max(...words.map(([, value]) => value as number))).toBeLessThan(P.POLICY_WORDS);
  });

  it('has the causes that the programs have', () => {
    const programs = Object.entries(VfCause).map(([name, n]) => [
      n,
      name.slice('VF_CAUSE_'.length).toLowerCase().replace('_', '-'),
    ]);
    expect(programs).toEqual(P.CAUSE_NAMES.map((name, n) => [n, name]));
  });
});

describe('the first path', () => {
  it.each([
    ['the preferred', UP, UP, {}, PRI, P.CAUSE_JOIN],
    ['the preferred standby', UP, UP, { prefer: P.CHOICE_STANDBY }, STB, P.CAUSE_JOIN],
    ['the primary without preference', UP, UP, { prefer: P.CHOICE_NONE }, PRI, P.CAUSE_JOIN],
    ['the one ordered', UP, UP, { override: P.CHOICE_STANDBY }, STB, P.CAUSE_JOIN],
    ['the healthy one', NO_CARRIER, UP, {}, STB, P.CAUSE_JOIN],
    ['the healthy one against orders', UP, DOWN, { override: P.CHOICE_STANDBY }, PRI, P.CAUSE_JOIN],
    ['the less bad', NO_CARRIER, DOWN, {}, PRI, P.CAUSE_NO_PATH],
    ['the standby if both are as bad', GONE, GONE, {}, STB, P.CAUSE_NO_PATH],
    ['the primary even within its hold-down', UP, UP, { holdDownMs: 5000 }, PRI, P.CAUSE_JOIN],
  ])('is %s', (_, primary, standby, config, path, cause) => {
    expect(new Rig(config).links(primary, standby).look()).toEqual([path, cause]);
  });
});

describe('failover', () => {
  it.each([
    ['carrier', NO_CARRIER, P.CAUSE_CARRIER],
    ['admin down', DOWN, P.CAUSE_ADMIN_DOWN],
    ['admin down with carrier', P.LINK_CARRIER, P.CAUSE_ADMIN_DOWN],
    ['unplug', GONE, P.CAUSE_UNPLUG],
  ])('on loss by %s, at once', (_, link, cause) => {
    expect(steady({ holdDownMs: 60_000 }).links(link, UP).look()).toEqual([STB, cause]);
    expect(steady({ prefer: P.CHOICE_STANDBY }, STB).links(UP, link).look()).toEqual([PRI, cause]);
  });

  it('on a verdict, whose number is the cause', () => {
    for (const cause of [P.CAUSE_UNANSWERED, P.CAUSE_PROBE, P.CAUSE_BFD, P.CAUSE_WITNESS]) {
      const rig = steady().links(P.withVerdict(UP, cause), UP);
      expect(rig.look()).toEqual([STB, cause]);
      expect(P.verdictOf(rig.get(P.P_LINK_PRIMARY))).toBe(cause);
      expect(rig.describe().paths[0]).toMatchObject({ health: P.CAUSE_NAMES[cause] });
    }
  });

  it('tells the link’s fault where the path has both, and has none of an absent path', () => {
    expect(steady().links(P.withVerdict(NO_CARRIER, P.CAUSE_PROBE), UP).look()).toEqual([
      STB,
      P.CAUSE_CARRIER,
    ]);
    expect(P.withVerdict(GONE, P.CAUSE_PROBE)).toBe(GONE);
    expect(P.verdictOf(GONE)).toBe(0);
    expect(P.verdictOf(UP)).toBe(0);
  });

  it('does not leave a suspected path for another one, but for neither link nor carrier', () => {
    const suspected = P.withVerdict(UP, P.CAUSE_UNANSWERED);
    expect(steady().links(suspected, suspected).look()).toEqual([PRI, P.CAUSE_NO_PATH]);
    expect(steady().links(suspected, NO_CARRIER).look()).toEqual([PRI, P.CAUSE_NO_PATH]);
    expect(steady().links(NO_CARRIER, suspected).look()).toEqual([STB, P.CAUSE_NO_PATH]);
  });

  it('returns when the verdict is taken back, after the hold-down', () => {
    const rig = steady({ holdDownMs: 500 }).links(P.withVerdict(UP, P.CAUSE_PROBE), UP);
    expect(rig.turn()).toEqual([STB, P.CAUSE_PROBE]);
    rig.wait(5000).links(UP, UP);
    expect(rig.turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.wait(499).turn()[0]).toBe(STB);
    expect(rig.wait(1).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('does not wait for the other path’s hold-down', () => {
    const rig = steady({ holdDownMs: 60_000 });
    rig.links(UP, DOWN).look();
    rig.wait(10).links(DOWN, UP);
    expect(rig.look()).toEqual([STB, P.CAUSE_ADMIN_DOWN]);
  });

  it('stays on the less bad path when none is healthy, and says so', () => {
    const rig = steady().links(NO_CARRIER, NO_CARRIER);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_NO_PATH]);
    expect(rig.links(GONE, NO_CARRIER).turn()).toEqual([STB, P.CAUSE_NO_PATH]);
    expect(rig.links(DOWN, DOWN).turn()).toEqual([STB, P.CAUSE_NO_PATH]);
  });

  it('calls the first path to come after none a join', () => {
    const rig = new Rig({ active: STB }).links(GONE, NO_CARRIER);
    expect(rig.turn()).toEqual([STB, P.CAUSE_NO_PATH]);
    expect(rig.links(UP, NO_CARRIER).turn()).toEqual([PRI, P.CAUSE_JOIN]);
  });
});

describe('failback', () => {
  it('waits until the primary has been healthy for the hold-down time', () => {
    const rig = steady({ holdDownMs: 500 }).links(NO_CARRIER, UP);
    rig.turn();
    rig.wait(10_000).links(UP, UP);
    expect(rig.look()).toEqual([STB, P.CAUSE_NONE]);
    rig.wait(499);
    expect(rig.look()).toEqual([STB, P.CAUSE_NONE]);
    rig.wait(1);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
    expect(rig.look()).toEqual([PRI, P.CAUSE_NONE]);
  });

  it('starts to wait again with every flap', () => {
    const rig = steady({ holdDownMs: 500 }).links(NO_CARRIER, UP);
    rig.turn();
    for (let flap = 0; flap < 20; flap += 1) {
      rig.links(UP, UP).wait(1).look();
      rig.wait(498);
      expect(rig.look()[0]).toBe(STB);
      rig.links(NO_CARRIER, UP).wait(1).look();
    }
  });

  it('is none without preference', () => {
    const rig = steady({ prefer: P.CHOICE_NONE }).links(NO_CARRIER, UP);
    rig.turn();
    expect(rig.links(UP, UP).wait(1e6).look()).toEqual([STB, P.CAUSE_NONE]);
  });

  it('is called a join the first time after a plug-in', () => {
    const rig = steady({ holdDownMs: 100 }).links(GONE, UP);
    expect(rig.turn()).toEqual([STB, P.CAUSE_UNPLUG]);
    rig.links(NO_CARRIER, UP).look();
    rig.links(UP, UP).look();
    rig.wait(100);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_JOIN]);
  });

  it('is not forgotten by a clock that wraps many times', () => {
    const rig = steady({ holdDownMs: 500 }, STB).set(P.P_PREFER, P.CHOICE_NONE);
    for (let days = 0; days < 200; days += 20) rig.wait(20 * 86_400_000).look();
    expect(rig.set(P.P_PREFER, P.CHOICE_PRIMARY).look()[0]).toBe(PRI);
  });

  it('only starts its wait again after a look that came weeks late', () => {
    const rig = new Rig({ holdDownMs: 500, active: STB }).links(UP, UP);
    rig.look();
    rig.wait(2 ** 31 + 100);
    expect(rig.look()[0]).toBe(STB);
    expect(rig.wait(500).look()[0]).toBe(PRI);
  });
});

describe('down delay', () => {
  it('rides out a short loss of carrier', () => {
    const rig = steady({ downDelayMs: 50 }).links(NO_CARRIER, UP);
    expect(rig.look()).toEqual([PRI, P.CAUSE_NONE]);
    expect(rig.wait(49).look()).toEqual([PRI, P.CAUSE_NONE]);
    rig.links(UP, UP).look();
    rig.links(NO_CARRIER, UP).wait(49);
    expect(rig.look()[0]).toBe(PRI);
    expect(rig.wait(50).look()).toEqual([STB, P.CAUSE_CARRIER]);
  });

  it.each([DOWN, GONE])('does not apply to link %i', (link) => {
    expect(steady({ downDelayMs: 50 }).links(link, UP).look()[0]).toBe(STB);
  });
});

describe('override', () => {
  it('is honoured at once, whatever the hold-down', () => {
    const rig = steady({ holdDownMs: 60_000 }).set(P.P_OVERRIDE, P.CHOICE_STANDBY);
    expect(rig.turn()).toEqual([STB, P.CAUSE_MANUAL]);
    expect(rig.wait(1e6).look()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.set(P.P_OVERRIDE, P.CHOICE_NONE).look()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('to a dead path is not honoured but reported, and made good after the hold-down', () => {
    const rig = steady({ holdDownMs: 500 }).links(UP, NO_CARRIER).set(P.P_OVERRIDE, P.CHOICE_STANDBY);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_NONE]);
    expect(rig.describe()).toMatchObject({ override: 'standby', overrideLost: true });
    rig.links(UP, UP);
    expect(rig.turn()[0]).toBe(PRI);
    rig.wait(500);
    expect(rig.turn()).toEqual([STB, P.CAUSE_MANUAL]);
    expect(rig.describe().overrideLost).toBe(false);
  });

  it('falls back when its path dies, and does not flap with it', () => {
    const rig = steady({ holdDownMs: 500 }).set(P.P_OVERRIDE, P.CHOICE_STANDBY);
    rig.turn();
    expect(rig.links(UP, NO_CARRIER).turn()).toEqual([PRI, P.CAUSE_CARRIER]);
    expect(rig.describe().overrideLost).toBe(true);
    rig.links(UP, UP);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_NONE]);
    expect(rig.wait(500).turn()).toEqual([STB, P.CAUSE_MANUAL]);
  });

  it('given anew is obeyed anew', () => {
    const rig = steady({ holdDownMs: 500 }).set(P.P_OVERRIDE, P.CHOICE_STANDBY);
    rig.turn();
    rig.links(UP, NO_CARRIER).turn();
    rig.links(UP, UP).turn();
    rig.set(P.P_OVERRIDE, P.CHOICE_NONE).turn();
    expect(rig.set(P.P_OVERRIDE, P.CHOICE_STANDBY).turn()).toEqual([STB, P.CAUSE_MANUAL]);
  });

  it('is no longer lost once its path, kept for want of a better, recovers', () => {
    const rig = steady().set(P.P_OVERRIDE, P.CHOICE_PRIMARY).links(NO_CARRIER, NO_CARRIER);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_NO_PATH]);
    expect(rig.describe().overrideLost).toBe(true);
    rig.links(UP, NO_CARRIER).turn();
    expect(rig.describe().overrideLost).toBe(false);
  });

  it.each([3, 99, -1, -(2 ** 31)])('of %i orders nothing and reads nothing outside the record', (garbage) => {
    expect(steady().set(P.P_OVERRIDE, garbage).set(P.P_PREFER, garbage).look()).toEqual([PRI, P.CAUSE_NONE]);
    expect(new Rig({ override: garbage, prefer: garbage }).links(UP, UP).look()[0]).toBe(PRI);
  });
});

describe('accept', () => {
  it('counts and times the switches', () => {
    const rig = steady();
    rig.accept(PRI);
    expect(rig.get(P.P_SWITCHES)).toBe(0);
    rig.wait(5).accept(STB);
    expect([rig.get(P.P_SWITCHES), rig.get(P.P_SWITCHED_AT)]).toEqual([1, rig.now]);
    rig.set(P.P_SWITCHES, 2 ** 31 - 1).accept(PRI);
    expect(rig.get(P.P_SWITCHES)).toBe(-(2 ** 31));
  });

  it('of a move by tier 0 holds down the path that must have failed unseen', () => {
    const rig = steady({ holdDownMs: 500 });
    rig.accept(STB);
    expect(rig.turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.wait(499).turn()[0]).toBe(STB);
    expect(rig.wait(1).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('of a move by tier 0 against an order holds that down too', () => {
    const rig = steady({ holdDownMs: 500, override: P.CHOICE_PRIMARY });
    rig.accept(STB);
    expect(rig.turn()[0]).toBe(STB);
    expect(rig.describe().overrideLost).toBe(true);
    expect(rig.wait(500).turn()).toEqual([PRI, P.CAUSE_MANUAL]);
  });
});

describe('armed fallbacks', () => {
  const toStandby = P.ARM_TO_STANDBY | P.ARM_SILENT_TO_STANDBY;
  const toPrimary = P.ARM_TO_PRIMARY | P.ARM_SILENT_TO_PRIMARY;
  const both = toStandby | toPrimary;
  it.each([
    [UP, UP, {}, both],
    [UP, NO_CARRIER, {}, toPrimary],
    [NO_CARRIER, UP, {}, toStandby],
    [GONE, UP, {}, toStandby],
    [UP, GONE, {}, toPrimary],
    [DOWN, DOWN, {}, 0],
    [UP, UP, { downDelayMs: 1 }, 0],
    [UP, UP, { override: P.CHOICE_PRIMARY }, both],
    // Suspected: still better than a path without carrier, but nowhere to go from one that is suspected itself.
    [UP, P.withVerdict(UP, P.CAUSE_PROBE), {}, toPrimary | P.ARM_TO_STANDBY],
    [P.withVerdict(UP, P.CAUSE_UNANSWERED), UP, {}, toStandby | P.ARM_TO_PRIMARY],
    [NO_CARRIER, P.withVerdict(UP, P.CAUSE_BFD), {}, P.ARM_TO_STANDBY],
  ])('links %i %i, %j: %i', (primary, standby, config, armed) => {
    const rig = steady(config).links(primary, standby);
    expect(P.armedFallbacks(rig.state, rig.base)).toBe(armed);
  });
});

describe('properties', () => {
  it('never leaves a healthy path for, nor stays beside one on, an unhealthy path', () => {
    const property = (over: 'links' | 'orders') =>
      fc.property(steps(over), (taken) => {
        walk(taken, WRAP, { holdDownMs: 300 }, ({ rig, path, cause }) => {
          const ok = [PRI, STB].map((p) => healthy(rig.get(P.P_LINK_PRIMARY + p)));
          if (ok.some(Boolean)) expect(ok[path]).toBe(true);
          expect(cause === P.CAUSE_NO_PATH).toBe(!ok.some(Boolean));
        });
      });
    fc.assert(property('links'), walks(40));
    fc.assert(property('orders'), walks(40));
  });

  it('never fails back within the hold-down unless the active path is dead', () => {
    let failbacks = 0;
    const property = fc.property(steps('links'), fc.nat(2), (taken, n) => {
      const prefer = n as 0 | 1 | 2;
      walk(taken, WRAP, { holdDownMs: 300, prefer }, ({ rig, active, path, cause, healthyFor }) => {
        if (active < 0 || path === active || !healthy(rig.get(P.P_LINK_PRIMARY + active))) return;
        failbacks += 1;
        expect([P.CAUSE_FAILBACK, P.CAUSE_JOIN]).toContain(cause);
        expect(prefer).toBe(path + 1);
        expect(healthyFor[path]).toBeGreaterThanOrEqual(300);
      });
    });
    fc.assert(property, walks(80));
    expect(failbacks).toBeGreaterThan(100);
  });

  it('always gets back to the preferred path in the end', () => {
    const property = fc.property(steps('links'), (taken) => {
      walk(taken, 0, { holdDownMs: 300 }, ({ path, healthyFor }) => {
        if (healthyFor[PRI]! >= 300) expect(path).toBe(PRI);
      });
    });
    fc.assert(property, walks(80));
  });

  it('decides alike at any time of the clock, the wrap included', () => {
    const property = fc.property(steps('orders'), fc.constantFrom(0, 40), (taken, downDelayMs) => {
      const config = { holdDownMs: 300, downDelayMs };
      const plain = walk(taken, 0, config);
      for (const start of [WRAP, -50_000, 2 ** 31 - 1]) expect(walk(taken, start, config)).toEqual(plain);
    });
    fc.assert(property, walks(80));
  });

  it('gives a cause exactly for a difference', () => {
    const property = fc.property(steps('orders'), (taken) => {
      walk(taken, WRAP, { holdDownMs: 300, downDelayMs: 40 }, ({ active, path, cause }) => {
        if (cause !== P.CAUSE_NO_PATH) expect(cause !== P.CAUSE_NONE).toBe(path !== active);
      });
    });
    fc.assert(property, walks(80));
  });

  it('arms exactly what it would decide at once itself, and nothing while a loss may be ridden out', () => {
    const property = fc.property(steps('orders'), (taken) => {
      walk(taken, WRAP, { holdDownMs: 300 }, ({ rig }) => {
        const arms = P.armedFallbacks(rig.state, rig.base);
        for (const p of [PRI, STB]) {
          if (!healthy(rig.get(P.P_LINK_PRIMARY + p))) continue;
          const copy = rig.state.slice();
          copy[rig.base + P.P_ACTIVE] = p;
          copy[rig.base + P.P_LINK_PRIMARY + p]! &= ~P.LINK_CARRIER;
          expect(P.evaluate(copy, rig.base, rig.now) !== p).toBe((arms & (1 << p)) !== 0);
        }
      });
      walk(taken, WRAP, { downDelayMs: 40 }, ({ rig }) => {
        expect(P.armedFallbacks(rig.state, rig.base)).toBe(0);
      });
    });
    fc.assert(property, walks(80));
  });

  it('describes without a change, and agrees with what it decides', () => {
    const property = fc.property(steps('orders'), (taken) => {
      walk(taken, WRAP, { holdDownMs: 300, downDelayMs: 40 }, ({ rig, path, active }) => {
        const before = rig.state.slice();
        const text = rig.describe();
        expect(rig.state).toEqual(before);
        expect(text.desired).toBe(path === PRI ? 'primary' : 'standby');
        if (active >= 0) expect(text.toSwitch.length > 0).toBe(path === active);
      });
    });
    fc.assert(property, walks(60));
  });
});

describe('describePolicy', () => {
  it.each<[string, Rig, string[]]>([
    ['steady', steady(), ['primary must fail, or standby be ordered by `vfailover switch`']],
    [
      'other path dead',
      steady().links(UP, GONE),
      [
        'standby must be plugged in and join',
        'primary must fail, or standby be ordered by `vfailover switch`',
      ],
    ],
    [
      'primary dead',
      steady({ holdDownMs: 500 }, STB).links(NO_CARRIER, UP),
      ['primary must get carrier', 'primary must be healthy for 500 ms'],
    ],
    ['primary down', steady({}, STB).links(DOWN, UP), ['primary must be set up']],
    [
      'in the down delay',
      steady({ downDelayMs: 50 }).links(NO_CARRIER, UP),
      ['primary must be without carrier for another 50 ms'],
    ],
  ])('%s', (_, rig, conditions) => expect(rig.describe().toSwitch).toEqual(conditions));

  it('counts the hold-down down', () => {
    const rig = steady({ holdDownMs: 500 }, STB).links(NO_CARRIER, UP);
    rig.look();
    rig.links(UP, UP).look();
    rig.wait(200);
    const text = rig.describe();
    expect(text.toSwitch).toEqual(['primary must be healthy for another 300 ms']);
    expect(text.paths[0]).toMatchObject({ role: 'primary', health: 'up', forMs: 200, holdDownMs: 300 });
  });

  it('tells all there is of a new instance', () => {
    expect(new Rig().describe()).toMatchObject({
      active: null,
      desired: 'standby',
      cause: 'no-path',
      override: 'auto',
      prefer: 'primary',
      armed: [],
      switches: 0,
      sinceSwitchMs: 0,
      toSwitch: [],
    });
    expect(steady().describe().armed).toEqual(['to-standby', 'to-primary']);
  });
});
