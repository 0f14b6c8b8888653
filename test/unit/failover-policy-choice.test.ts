import { describe, expect, it } from 'vitest';
import { VfArm } from '../../bpf/vfailover.bpf.js';
import * as P from '../../src/policy/evaluate.js';
import { GONE, NO_CARRIER, PRI, Rig, STB, steady, UP } from '../helpers/policy-rig.js';

const better = (config: P.PolicyConfig = {}) => steady({ reselect: P.RESELECT_BETTER, ...config }, STB);
const speeds = (rig: Rig, primary: number, standby: number) =>
  rig.set(P.P_SPEED_PRIMARY, primary).set(P.P_SPEED_STANDBY, standby);

/** The primary dies and is healthy again; the standby carries the traffic. */
function recovered(config: P.PolicyConfig): Rig {
  const rig = steady(config).links(NO_CARRIER, UP);
  expect(rig.turn()[0]).toBe(STB);
  return rig.links(UP, UP);
}

describe('reselection', () => {
  it('always: returns when the primary is ready', () => {
    expect(recovered({ reselect: P.RESELECT_ALWAYS }).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('failure: returns when the active one fails, and says so', () => {
    const rig = recovered({ reselect: P.RESELECT_FAILURE });
    expect(rig.turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.wait(1e6).turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.describe().toSwitch).toEqual([
      'standby must fail, or primary be ordered by `vfailover switch`',
    ]);
    expect(rig.links(UP, NO_CARRIER).turn()).toEqual([PRI, P.CAUSE_CARRIER]);
  });

  it.each([
    ['faster', P.speedWord(25_000, true), P.speedWord(10_000, true), PRI],
    ['as fast', P.speedWord(10_000, true), P.speedWord(10_000, true), STB],
    ['slower', P.speedWord(1000, true), P.speedWord(10_000, true), STB],
    ['as fast with the better duplex', P.speedWord(100, true), P.speedWord(100, false), PRI],
    ['faster at half duplex', P.speedWord(1000, false), P.speedWord(100, true), PRI],
    ['of unknown speed', P.speedWord(-1, true), P.speedWord(10, true), STB],
    ['next to one of unknown speed', P.speedWord(10, true), P.speedWord(-1, false), STB],
  ])('better: a primary that is %s', (_, primary, standby, path) => {
    const rig = recovered({ reselect: P.RESELECT_BETTER });
    expect(speeds(rig, primary, standby).turn()[0]).toBe(path);
  });

  it('better: says what it would take', () => {
    const rig = speeds(recovered({ reselect: P.RESELECT_BETTER }), P.speedWord(100, false), 0);
    rig.turn();
    expect(rig.describe().toSwitch).toEqual([
      'primary (100 Mb/s half duplex) must be faster than standby (speed unknown)',
    ]);
  });

  it.each([P.RESELECT_FAILURE, P.RESELECT_BETTER])(
    '%i: a primary that joins is made active, as in bonding',
    (reselect) => {
      const rig = new Rig({ reselect, active: STB, holdDownMs: 100 }).links(GONE, UP);
      rig.turn();
      rig.links(UP, UP).turn();
      expect(rig.wait(99).turn()[0]).toBe(STB);
      expect(rig.wait(1).turn()).toEqual([PRI, P.CAUSE_JOIN]);
    },
  );

  it('failure: paths known from an earlier controller do not join again', () => {
    const rig = new Rig({ reselect: P.RESELECT_FAILURE, active: STB, known: true }).links(UP, UP);
    expect(rig.turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(better({ known: true }).turn()).toEqual([STB, P.CAUSE_NONE]);
  });

  it('does not hold back orders', () => {
    const rig = recovered({ reselect: P.RESELECT_FAILURE });
    expect(rig.set(P.P_OVERRIDE, P.CHOICE_PRIMARY).turn()).toEqual([PRI, P.CAUSE_MANUAL]);
  });

  it('makes no speed of what a driver does not know', () => {
    expect([P.speedWord(-1, true), P.speedWord(0, true), P.speedWord(2 ** 32 - 1, true)]).toEqual([0, 0, 0]);
    expect(P.speedWord(800_000, true)).toBeLessThan(2 ** 31);
  });
});

describe('up delay', () => {
  it('is waited for before an order or a failback', () => {
    const rig = recovered({ upDelayMs: 200 });
    rig.turn();
    rig.set(P.P_OVERRIDE, P.CHOICE_PRIMARY);
    expect(rig.wait(199).turn()[0]).toBe(STB);
    expect(rig.describe().toSwitch).toEqual(['primary must be healthy for another 1 ms']);
    expect(rig.wait(1).turn()).toEqual([PRI, P.CAUSE_MANUAL]);
    const auto = recovered({ upDelayMs: 200 });
    auto.turn();
    expect(auto.wait(199).turn()[0]).toBe(STB);
    expect(auto.wait(1).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('is skipped when there is no active slave', () => {
    const rig = steady({ upDelayMs: 60_000 }).links(NO_CARRIER, NO_CARRIER);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_NO_PATH]);
    expect(rig.links(NO_CARRIER, UP).wait(5).turn()).toEqual([STB, P.CAUSE_JOIN]);
    // Having been taken it is up: a second loss is a loss.
    expect(rig.links(UP, NO_CARRIER).turn()).toEqual([PRI, P.CAUSE_CARRIER]);
  });

  it('does not hide the flaps of a path that was taken without it', () => {
    const damping = { halfLifeMs: 5000, suppress: 2000, reuse: 1000, maxSuppressMs: 20_000 };
    const rig = steady({ upDelayMs: 60_000, damping }).links(NO_CARRIER, NO_CARRIER);
    rig.turn();
    rig.links(NO_CARRIER, UP).wait(5).turn();
    rig.links(NO_CARRIER, NO_CARRIER).wait(5).turn();
    expect(rig.describe().paths[STB]!.penalty).toBe(1000);
    // One that flaps while it waits to come up is not up, and costs nothing.
    rig.links(UP, NO_CARRIER).turn();
    rig.links(UP, UP).wait(5).turn();
    rig.links(UP, NO_CARRIER).wait(5).turn();
    expect(rig.describe().paths[STB]!.penalty).toBeLessThan(1000);
  });

  it('of the first path does not matter', () => {
    expect(new Rig({ upDelayMs: 60_000 }).links(UP, UP).turn()).toEqual([PRI, P.CAUSE_JOIN]);
  });

  it('leaves tier 0 armed', () => {
    const rig = recovered({ upDelayMs: 60_000 });
    rig.turn();
    expect(P.armedFallbacks(rig.state, rig.base) & VfArm.VF_ARM_STANDBY).not.toBe(0);
    expect(rig.links(UP, NO_CARRIER).turn()[0]).toBe(PRI);
  });
});

describe('healthy probes', () => {
  const answers = (rig: Rig, n: number) => rig.set(P.P_PROBES_PRIMARY, n);

  it('are waited for, in a row', () => {
    const rig = answers(steady({ healthyProbes: 3 }), 500).links(NO_CARRIER, UP);
    rig.turn();
    rig.links(UP, UP).turn();
    expect(rig.describe().toSwitch).toEqual(['primary must answer another 3 probes']);
    expect(answers(rig, 502).turn()[0]).toBe(STB);
    expect(answers(rig, 0).turn()[0]).toBe(STB);
    expect(answers(rig, 2).wait(1e6).turn()[0]).toBe(STB);
    expect(rig.describe().toSwitch).toEqual(['primary must answer another 1 probe']);
    expect(answers(rig, 3).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('count anew after a fault that no probe met', () => {
    const rig = answers(steady({ healthyProbes: 3 }), 500).links(NO_CARRIER, UP);
    rig.turn();
    answers(rig.links(UP, UP), 501).turn();
    rig.links(NO_CARRIER, UP).turn();
    rig.links(UP, UP).turn();
    expect(answers(rig, 503).turn()[0]).toBe(STB);
    expect(answers(rig, 504).turn()[0]).toBe(PRI);
  });

  it('are looks where there are no probes', () => {
    const rig = recovered({ healthyProbes: 3 });
    expect([rig.turn()[0], rig.turn()[0]]).toEqual([STB, STB]);
    expect(rig.describe().toSwitch).toEqual(['primary must be found healthy by another 1 look']);
    expect(rig.describe().toSwitch).toEqual(['primary must be found healthy by another 1 look']);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('are asked for beside the hold-down', () => {
    const rig = recovered({ healthyProbes: 2, holdDownMs: 500 });
    rig.turn();
    rig.turn();
    expect(rig.wait(499).turn()[0]).toBe(STB);
    expect(rig.wait(1).turn()[0]).toBe(PRI);
  });

  it('do not delay a failover', () => {
    const rig = answers(steady({ healthyProbes: 100 }, STB), 0).links(UP, NO_CARRIER);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_CARRIER]);
  });
});

describe('preference by latency', () => {
  const LATENCY = { prefer: P.CHOICE_FASTER, marginUs: 50, marginPercent: 20, holdDownMs: 1000 };
  const rtt = (rig: Rig, primary: number, standby: number) =>
    rig.set(P.P_RTT_PRIMARY, primary).set(P.P_RTT_STANDBY, standby);

  it('goes to a path that has been faster by the margins for the hold-down', () => {
    const rig = rtt(steady(LATENCY), 500, 200);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_NONE]);
    expect(rig.wait(999).turn()).toEqual([PRI, P.CAUSE_NONE]);
    expect(rig.describe().toSwitch).toEqual([
      'standby must answer faster for another 1 ms (standby: 200 µs, primary: 500 µs)',
    ]);
    expect(rig.wait(1).turn()).toEqual([STB, P.CAUSE_LATENCY]);
    expect(rig.wait(1e6).turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.describe().prefer).toBe('latency');
  });

  it.each([
    [200, 151],
    [1000, 840],
    [200, 0],
    [0, 200],
    [-1, 30],
    [300, 300],
    [2_000_000_000, 1_900_000_000],
  ])('does not move from %i µs to %i µs', (primary, standby) => {
    const rig = rtt(steady(LATENCY), primary, standby);
    for (let i = 0; i < 10; i += 1) expect(rig.wait(1000).turn()).toEqual([PRI, P.CAUSE_NONE]);
  });

  it.each([
    [201, 150],
    [80, 20],
    [2_000_000_000, 1_500_000_000],
  ])('moves from %i µs to %i µs', (primary, standby) => {
    const rig = rtt(steady(LATENCY), primary, standby);
    rig.turn();
    expect(rig.wait(1000).turn()).toEqual([STB, P.CAUSE_LATENCY]);
  });

  it('counts anew when the lead is lost for one look', () => {
    const rig = rtt(steady(LATENCY), 500, 200);
    rig.turn();
    rtt(rig.wait(900), 200, 200).turn();
    rtt(rig.wait(1), 500, 200).turn();
    expect(rig.wait(999).turn()[0]).toBe(PRI);
    expect(rig.wait(1).turn()[0]).toBe(STB);
  });

  it('counts anew after a switch, even if the round trips change places with it', () => {
    const rig = rtt(steady(LATENCY), 500, 200);
    rig.turn();
    expect(rig.wait(1000).turn()[0]).toBe(STB);
    rtt(rig, 200, 500).turn();
    expect(rig.wait(999).turn()[0]).toBe(STB);
    expect(rig.wait(1).turn()).toEqual([PRI, P.CAUSE_LATENCY]);
  });

  it('never flaps on noise that is within the margins', () => {
    const rig = rtt(steady({ ...LATENCY, holdDownMs: 0 }), 200, 200);
    for (let i = 0; i < 1000; i += 1) rtt(rig.wait(1), 200 + ((i * 37) % 49), 200 + ((i * 53) % 49)).turn();
    expect(rig.get(P.P_SWITCHES)).toBe(0);
  });

  it('is damped where it oscillates', () => {
    const damping = { halfLifeMs: 5000, suppress: 2000, reuse: 1000, maxSuppressMs: 20_000 };
    const swing = (config: P.PolicyConfig) => {
      const rig = steady({ ...LATENCY, holdDownMs: 10, ...config });
      for (let i = 0; i < 60_000; i += 1) rtt(rig.wait(1), (i / 100) & 1 ? 900 : 200, 500).turn();
      return rig.get(P.P_SWITCHES);
    };
    expect(swing({})).toBeGreaterThan(500);
    expect(swing({ damping })).toBeLessThan(40);
  });

  it('stays where it is after a failover, until it is measured', () => {
    const rig = steady(LATENCY).links(NO_CARRIER, UP);
    expect(rig.turn()[0]).toBe(STB);
    rig.links(UP, UP).turn();
    expect(rig.wait(1e6).turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.describe().toSwitch).toEqual([
      'primary must answer faster by the margin (primary: not measured, standby: not measured)',
    ]);
  });
});

describe('maintenance', () => {
  const service = (rig: Rig, choice: number) => rig.set(P.P_MAINTENANCE, choice);

  it('moves the traffic at once, and back when it ends', () => {
    const rig = service(steady({ holdDownMs: 60_000 }), P.CHOICE_PRIMARY);
    expect(rig.turn()).toEqual([STB, P.CAUSE_MAINTENANCE]);
    expect(rig.wait(1e6).turn()).toEqual([STB, P.CAUSE_NONE]);
    expect(rig.describe()).toMatchObject({ paths: [{ maintenance: true }, { maintenance: false }] });
    expect(rig.describe().toSwitch).toEqual([
      'standby must fail, or the maintenance of primary be ended by `vfailover maintenance`',
    ]);
    expect(service(rig, P.CHOICE_NONE).turn()).toEqual([PRI, P.CAUSE_FAILBACK]);
  });

  it('moves at once even to a path that has just come', () => {
    const rig = steady({ holdDownMs: 60_000 }).links(UP, NO_CARRIER);
    rig.turn();
    rig.links(UP, UP).turn();
    expect(service(rig, P.CHOICE_PRIMARY).turn()).toEqual([STB, P.CAUSE_MAINTENANCE]);
  });

  it('does not arm the path as a target', () => {
    const rig = service(steady(), P.CHOICE_PRIMARY);
    rig.turn();
    expect(P.armedFallbacks(rig.state, rig.base)).toBe(VfArm.VF_ARM_PRIMARY | VfArm.VF_ARM_PRIMARY_SILENT);
  });

  it('is over an order, which is obeyed again afterwards', () => {
    const rig = service(steady({ override: P.CHOICE_PRIMARY }), P.CHOICE_PRIMARY);
    expect(rig.turn()).toEqual([STB, P.CAUSE_MAINTENANCE]);
    expect(rig.wait(1e6).turn()[0]).toBe(STB);
    expect(service(rig, P.CHOICE_NONE).turn()).toEqual([PRI, P.CAUSE_MANUAL]);
  });

  it('uses the path when the other one dies, says so, and leaves it once that has settled', () => {
    const rig = service(steady({ holdDownMs: 500 }), P.CHOICE_PRIMARY);
    rig.turn();
    expect(rig.links(UP, NO_CARRIER).wait(1).turn()).toEqual([PRI, P.CAUSE_CARRIER]);
    rig.turn();
    expect(rig.describe().notes).toEqual([
      'the primary carries traffic although it is in maintenance: the other slave is not usable',
    ]);
    rig.links(UP, UP).turn();
    expect(rig.wait(499).turn()).toEqual([PRI, P.CAUSE_NONE]);
    expect(rig.describe().toSwitch).toEqual(['standby must be healthy for another 1 ms']);
    expect(rig.wait(1).turn()).toEqual([STB, P.CAUSE_MAINTENANCE]);
  });

  it('is the last choice for the first path', () => {
    expect(new Rig({ maintenance: P.CHOICE_PRIMARY }).links(UP, UP).look()).toEqual([STB, P.CAUSE_JOIN]);
    expect(new Rig({ maintenance: P.CHOICE_PRIMARY }).links(UP, NO_CARRIER).look()).toEqual([
      PRI,
      P.CAUSE_JOIN,
    ]);
  });

  it.each([3, 99, -1])('of %i takes nothing out of service', (garbage) => {
    expect(service(steady(), garbage).look()).toEqual([PRI, P.CAUSE_NONE]);
    expect(P.armedFallbacks(steady().state, steady().base)).toBe(15);
  });
});

describe('no usable path', () => {
  it('is said, with the one that is kept', () => {
    const rig = steady().links(P.withVerdict(UP, P.CAUSE_PROBE), NO_CARRIER);
    expect(rig.turn()).toEqual([PRI, P.CAUSE_NO_PATH]);
    expect(rig.describe().notes).toEqual(['no slave is healthy: the primary (dead) is the less bad one']);
    expect(rig.describe().toSwitch).toEqual(['standby must get carrier']);
  });
});
