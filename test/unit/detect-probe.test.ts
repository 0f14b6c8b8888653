import { describe, expect, it } from 'vitest';
import { VfProbe, VfProbing } from '../../bpf/vfailover.bpf.js';
import { type ProbeOptions, ProbeRounds, TARGETS_MAX } from '../../src/detect/probe/state.js';

const MS = 1e6;
const PRI = 0;
const STB = 1;
const OPTIONS: ProbeOptions = {
  targets: 1,
  watched: [true, true],
  intervalNs: 100 * MS,
  timeoutNs: 50 * MS,
  missedMax: 2,
  initWaitNs: undefined,
  all: false,
  validateActive: true,
  validateInactive: true,
  inactive: true,
  healthy: 2,
  broadcasts: true,
};

/** How a path is at present. `answers`: by target, the round trip in ms, or Infinity. */
interface PathState {
  answers: number[];
  /** Where its answers come in; absent: on the path itself. */
  crossed?: boolean;
  /** It hears the other path's broadcasts. */
  hears: boolean;
  traffic: boolean;
}

/** Plays the network: sends what is asked for, answers by the state of the paths, steps every millisecond. */
class Rig {
  readonly rounds: ProbeRounds;
  readonly paths: [PathState, PathState];
  active = PRI;
  now = 1000 * MS;
  sentTo: number[] = [];
  decisive = 0;
  #pending: { path: number; target: number; at: number; on: number }[] = [];

  constructor(options: Partial<ProbeOptions> = {}) {
    this.rounds = new ProbeRounds({ ...OPTIONS, ...options });
    const answers = Array<number>(this.rounds.options.targets).fill(0.2);
    this.paths = [
      { answers: [...answers], hears: true, traffic: false },
      { answers: [...answers], hears: true, traffic: false },
    ];
    this.rounds.link(PRI, true, this.now);
    this.rounds.link(STB, true, this.now);
  }

  tick(byMs = 1): void {
    this.now += byMs * MS;
    for (const a of this.#pending.filter((x) => x.at <= this.now))
      this.rounds.answered(a.path, a.target, a.at, a.on);
    this.#pending = this.#pending.filter((a) => a.at > this.now);
    for (const p of [PRI, STB]) if (this.paths[p]!.traffic) this.rounds.frames[p]!++;
    const mask = this.rounds.step(this.now, this.active);
    for (const path of [this.active ^ 1, this.active]) if (mask & (1 << path)) this.#send(path);
  }

  #send(path: number): void {
    const { answers, crossed } = this.paths[path]!;
    this.sentTo.push(path);
    if (path === this.active) this.decisive = this.rounds.decisive(path);
    answers.forEach((rtt, target) => {
      this.rounds.sent(path, target, this.now);
      if (rtt < 1000)
        this.#pending.push({ path, target, at: this.now + rtt * MS, on: crossed ? path ^ 1 : path });
    });
    const other = this.paths[path ^ 1]!;
    if (other.hears) this.rounds.heard[path ^ 1]!++;
  }

  /** Plays so many rounds. */
  play(rounds: number): this {
    const until = this.rounds.rounds + rounds;
    for (let i = 0; i < 1000 * (rounds + 1) && this.rounds.rounds < until; i++) this.tick();
    return this;
  }

  kill(path: number, direction: 'both' | 'tx' | 'rx'): this {
    const [p, other] = [this.paths[path]!, this.paths[path ^ 1]!];
    p.answers.fill(Number.POSITIVE_INFINITY);
    if (direction !== 'tx') {
      p.hears = false;
      p.traffic = false;
    }
    if (direction !== 'rx') other.hears = false;
    return this;
  }

  get dead(): number[] {
    return [...this.rounds.dead];
  }
}

const steady = (o: Partial<ProbeOptions> = {}): Rig => new Rig(o).play(5);

describe('rounds', () => {
  it('ask the inactive path first, and the active one when that is answered', () => {
    const rig = new Rig();
    rig.play(1);
    expect(rig.sentTo).toEqual([STB, PRI]);
    rig.sentTo = [];
    rig.active = STB;
    rig.play(2);
    expect(rig.sentTo).toEqual([PRI, STB, PRI, STB]);
  });

  it('do not keep the active path waiting for answers that do not come', () => {
    const rig = steady();
    rig.kill(STB, 'both');
    const before = rig.now;
    rig.sentTo = [];
    while (!rig.sentTo.includes(PRI)) rig.tick();
    const stb = rig.rounds.sentNs[TARGETS_MAX * STB]!;
    expect(rig.rounds.sentNs[0]! - stb).toBeLessThanOrEqual(3 * MS);
    expect(before).toBeLessThan(stb);
  });

  it('come at the interval, also after a pause of ours: none is made up for', () => {
    const rig = steady();
    const n = rig.rounds.rounds;
    for (let i = 0; i < 1000; i++) rig.tick();
    expect(rig.rounds.rounds - n).toBeGreaterThanOrEqual(9);
    expect(rig.rounds.rounds - n).toBeLessThanOrEqual(11);
    rig.tick(5000);
    const m = rig.rounds.rounds;
    for (let i = 0; i < 20; i++) rig.tick();
    expect(rig.rounds.rounds - m).toBeLessThanOrEqual(1);
  });

  it('leave the inactive path out if told so, but not one that there is something against', () => {
    const rig = steady({ inactive: false });
    rig.sentTo = [];
    rig.play(2);
    expect(rig.sentTo).toEqual([PRI, PRI]);
    rig.kill(PRI, 'both').play(2);
    expect(rig.dead).toEqual([1, 0]);
    rig.active = STB;
    rig.sentTo = [];
    rig.play(2);
    expect(rig.sentTo).toEqual([PRI, STB, PRI, STB]);
  });

  it('leave out an inactive path that is not watched; an active one is asked after the other, for the network to find it', () => {
    const rig = new Rig({ watched: [true, false] });
    rig.play(2);
    expect(rig.sentTo).toEqual([PRI, PRI]);
    rig.active = STB;
    rig.sentTo = [];
    rig.play(2);
    expect(rig.sentTo).toEqual([PRI, STB, PRI, STB]);
    const idle = new Rig({ watched: [true, false], inactive: false }).play(5);
    idle.active = STB;
    idle.sentTo = [];
    idle.play(2);
    expect(idle.sentTo).toEqual([]);
  });

  it('measure the round trip, smoothed and least', () => {
    const rig = steady();
    expect(rig.rounds.rttNs[0]).toBeCloseTo(0.2 * MS);
    rig.paths[PRI].answers = [1];
    rig.play(1);
    expect(rig.rounds.rttNs[0]).toBeCloseTo(0.3 * MS);
    expect(rig.rounds.minRttNs[0]).toBeCloseTo(0.2 * MS);
  });
});

describe('a path is dead', () => {
  it.each(['both', 'tx', 'rx'] as const)('after missedMax rounds (%s)', (direction) => {
    const rig = steady().kill(PRI, direction);
    expect(rig.play(1).dead).toEqual([0, 0]);
    expect(rig.play(1).dead).toEqual([1, 0]);
    expect(rig.rounds.missedRounds(PRI)).toBe(2);
  });

  it.each(['both', 'tx', 'rx'] as const)('never, if it is not watched (%s)', (direction) => {
    const rig = steady({ watched: [true, false] });
    rig.active = STB;
    rig.play(3).kill(STB, direction).play(6);
    expect(rig.dead[STB]).toBe(0);
    expect(rig.rounds.missedRounds(STB)).toBe(0);
    expect(rig.decisive).toBe(0);
  });

  it('and the programs may leave it for one that is not watched', () => {
    const rig = steady({ watched: [true, false] });
    expect(rig.decisive).toBe(0);
    rig.kill(PRI, 'both').play(1);
    rig.play(1);
    expect(rig.decisive).toBe(1);
    expect(rig.dead).toEqual([1, 0]);
  });

  it('not by one round, however often', () => {
    const rig = steady();
    for (let i = 0; i < 10; i++) {
      rig.paths[PRI].answers = [Number.POSITIVE_INFINITY];
      rig.play(1);
      rig.paths[PRI].answers = [0.2];
      rig.play(1);
    }
    expect(rig.dead).toEqual([0, 0]);
  });

  it('by answers that are late', () => {
    const rig = steady();
    rig.paths[PRI].answers = [60];
    expect(rig.play(2).dead).toEqual([1, 0]);
  });

  it('until it is good for so many rounds in a row', () => {
    const rig = steady({ healthy: 3 }).kill(PRI, 'both').play(2);
    rig.active = STB;
    rig.paths[PRI] = { answers: [0.2], hears: true, traffic: false };
    rig.paths[STB].hears = true;
    expect(rig.play(2).dead).toEqual([1, 0]);
    rig.paths[PRI].answers = [Number.POSITIVE_INFINITY];
    rig.play(1);
    rig.paths[PRI].answers = [0.2];
    expect(rig.play(2).dead).toEqual([1, 0]);
    expect(rig.play(1).dead).toEqual([0, 0]);
  });

  it('not for the first two rounds of its link, nor before its next link', () => {
    const rig = new Rig().kill(PRI, 'both');
    expect(rig.play(3).dead).toEqual([0, 0]);
    expect(rig.play(1).dead).toEqual([1, 0]);
    rig.rounds.link(PRI, false, rig.now);
    expect(rig.dead).toEqual([0, 0]);
    rig.rounds.link(PRI, true, rig.now);
    expect(rig.play(3).dead).toEqual([0, 0]);
    expect(rig.play(1).dead).toEqual([1, 0]);
  });

  it('not before it is asked, initWaitNs after its link came, but then from the first round on', () => {
    const rig = new Rig({ initWaitNs: 350 * MS }).kill(PRI, 'both');
    const came = rig.now;
    while (rig.sentTo.length === 0) rig.tick();
    expect(rig.now - came).toBeGreaterThanOrEqual(350 * MS);
    expect(rig.now - came).toBeLessThanOrEqual(451 * MS);
    expect(rig.play(2).dead).toEqual([1, 0]);
    rig.active = STB;
    rig.rounds.link(PRI, false, rig.now);
    rig.rounds.link(PRI, true, rig.now);
    rig.sentTo = [];
    // The other path goes on being asked and judged, and is waited for by nobody.
    expect(rig.play(3).sentTo).toEqual([STB, STB, STB]);
    expect(rig.rounds.waitNs(PRI, rig.now)).toBeGreaterThan(0);
    rig.kill(STB, 'both');
    expect(rig.play(2).dead).toEqual([0, 1]);
    expect(rig.play(1).dead).toEqual([1, 1]);
    expect(rig.rounds.waitNs(PRI, rig.now)).toBe(0);
  });

  it('from the first round on, if it is not waited for at all', () => {
    const rig = new Rig({ initWaitNs: 0, missedMax: 1 }).kill(PRI, 'both');
    expect(rig.play(1).dead).toEqual([1, 0]);
  });

  it('an inactive path that is new is asked though nothing is against it', () => {
    const rig = new Rig({ initWaitNs: 250 * MS, inactive: false });
    expect(rig.play(8).sentTo.filter((p) => p === STB)).toHaveLength(2);
  });

  it('both are, when the target is: nobody is better', () => {
    const rig = steady();
    rig.paths[PRI].answers = [Number.POSITIVE_INFINITY];
    rig.paths[STB].answers = [Number.POSITIVE_INFINITY];
    expect(rig.play(1).dead).toEqual([0, 0]);
    expect(rig.play(1).dead).toEqual([1, 1]);
  });
});

describe('targets', () => {
  const none = Number.POSITIVE_INFINITY;
  it('any: the path lives by one of them', () => {
    const rig = steady({ targets: 3 });
    rig.paths[PRI].answers = [none, 0.2, none];
    expect(rig.play(4).dead).toEqual([0, 0]);
    expect(rig.rounds.missedRounds(PRI)).toBe(0);
    rig.paths[PRI].answers = [none, none, none];
    expect(rig.play(2).dead).toEqual([1, 0]);
  });
  it('all: it dies by one of them', () => {
    const rig = steady({ targets: 3, all: true });
    rig.paths[PRI].answers = [0.2, 0.2, none];
    expect(rig.play(2).dead).toEqual([1, 0]);
  });
  it('as many as the layout has room for', () => {
    expect(VfProbing.size - VfProbing.offsets.probe).toBe(2 * TARGETS_MAX * VfProbe.size);
    const rig = steady({ targets: TARGETS_MAX, all: true });
    rig.paths[PRI].answers[TARGETS_MAX - 1] = none;
    expect(rig.play(2).dead).toEqual([1, 0]);
  });
});

describe('directions', () => {
  it('answers that come in on the other path count for the one that was asked', () => {
    const rig = steady();
    rig.paths[STB].crossed = true;
    expect(rig.play(5).dead).toEqual([0, 0]);
  });

  it('with all answers sent into the dead path, the other one is excused as long as it hears something', () => {
    const rig = steady().kill(PRI, 'rx');
    rig.paths[STB].answers = [Number.POSITIVE_INFINITY];
    expect(rig.play(2).dead).toEqual([1, 0]);
    expect(rig.rounds.excused[STB]).toBe(2);
    expect(rig.rounds.missed[TARGETS_MAX * STB]).toBe(0);
  });

  it('but not if it hears nothing, or the active path does receive', () => {
    const deaf = steady().kill(PRI, 'rx').kill(STB, 'rx');
    expect(deaf.play(2).dead).toEqual([1, 1]);
    const target = steady();
    target.paths[PRI].answers = [Number.POSITIVE_INFINITY];
    target.paths[STB].answers = [Number.POSITIVE_INFINITY];
    target.paths[PRI].hears = false;
    target.paths[PRI].traffic = true;
    expect(target.play(2).dead).toEqual([1, 1]);
  });

  it('a path whose answers cross is dead when it does not hear any more what it used to', () => {
    const rig = steady();
    rig.paths[STB].crossed = true;
    rig.play(3);
    rig.paths[STB].hears = false;
    expect(rig.play(1).dead).toEqual([0, 0]);
    expect(rig.play(1).dead).toEqual([0, 1]);
    rig.paths[STB].hears = true;
    expect(rig.play(2).dead).toEqual([0, 0]);
  });

  it('one that never heard the other is not expected to', () => {
    const rig = new Rig();
    rig.paths[STB].crossed = true;
    rig.paths[STB].hears = false;
    expect(rig.play(10).dead).toEqual([0, 0]);
  });
});

describe('a path that need not answer', () => {
  const VALIDATE = {
    all: [true, true],
    active: [true, false],
    inactive: [false, true],
    none: [false, false],
  };
  const rigOf = (validate: keyof typeof VALIDATE, more: Partial<ProbeOptions> = {}): Rig => {
    const [validateActive, validateInactive] = VALIDATE[validate] as [boolean, boolean];
    return steady({ validateActive, validateInactive, ...more });
  };

  it.each([
    ['all', [1, 0], [0, 1]],
    ['active', [1, 0], [0, 0]],
    ['inactive', [0, 0], [0, 1]],
    ['none', [0, 0], [0, 0]],
  ] as const)('lives by what it receives (%s)', (validate, primary, standby) => {
    for (const [path, dead] of [
      [PRI, primary],
      [STB, standby],
    ] as const) {
      const rig = rigOf(validate);
      rig.paths[path].traffic = true;
      rig.kill(path, 'tx').play(4);
      expect(rig.dead).toEqual(dead);
      expect(rig.rounds.credited[path]).toBe(dead[path] === 1 ? 0 : 4);
      // Then by nothing, and is dead all the same.
      if (dead[path] === 0) expect(rig.kill(path, 'rx').play(2).dead).toEqual(path === PRI ? [1, 0] : [0, 1]);
    }
  });

  it('counts for each target, whether any or all have to answer', () => {
    const rig = rigOf('none', { targets: 2, all: true });
    rig.paths[PRI].traffic = true;
    rig.paths[PRI].answers = [0.2, Number.POSITIVE_INFINITY];
    expect(rig.play(3).dead).toEqual([0, 0]);
    expect(rig.rounds.missedRounds(PRI)).toBe(0);
  });

  it('inactive, lives by the broadcasts of the active one’s probes', () => {
    const rig = rigOf('active').kill(STB, 'tx');
    expect(rig.play(3).dead).toEqual([0, 0]);
    rig.paths[STB].hears = false;
    expect(rig.play(2).dead).toEqual([0, 1]);
  });

  it('active, not by what it received before it was asked', () => {
    const rig = rigOf('inactive').kill(PRI, 'tx');
    // Nor by what came when the round was over; the inactive path's broadcast comes before the question.
    for (let i = 0; i < 2; i++) {
      rig.play(1);
      rig.rounds.frames[PRI]!++;
    }
    expect(rig.dead).toEqual([1, 0]);
  });

  it('is not left by the programs, who know answers only', () => {
    expect(rigOf('inactive', { missedMax: 1 }).decisive).toBe(0);
    expect(rigOf('active', { missedMax: 1 }).decisive).toBe(1);
  });

  it('is no reason to expect its broadcasts on the other', () => {
    const rig = rigOf('none');
    rig.paths[PRI].traffic = true;
    rig.paths[STB].crossed = true;
    rig.kill(PRI, 'tx');
    expect(rig.play(4).dead).toEqual([0, 0]);
  });
});

describe('our own pauses', () => {
  it('spoil a round instead of failing it, once in a row', () => {
    const rig = steady({ missedMax: 1 });
    const n = rig.rounds.rounds;
    rig.paths[PRI].answers = [Number.POSITIVE_INFINITY];
    rig.sentTo = [];
    while (!rig.sentTo.includes(PRI)) rig.tick();
    rig.tick(400);
    expect(rig.rounds.rounds).toBe(n + 1);
    expect(rig.dead).toEqual([0, 0]);
    expect(rig.rounds.voided).toBe(1);
    rig.sentTo = [];
    while (!rig.sentTo.includes(PRI)) rig.tick();
    rig.tick(400);
    expect(rig.dead).toEqual([1, 0]);
  });

  it('do not matter to answers that came in time', () => {
    const rig = steady({ missedMax: 1 });
    rig.sentTo = [];
    while (!rig.sentTo.includes(PRI)) rig.tick();
    rig.tick(400);
    rig.play(1);
    expect(rig.dead).toEqual([0, 0]);
  });
});

describe('what the programs may decide', () => {
  it('nothing while a missing answer would not be the last straw', () => {
    const rig = steady();
    expect(rig.decisive).toBe(0);
    rig.kill(PRI, 'both').play(1);
    rig.sentTo = [];
    while (!rig.sentTo.includes(PRI)) rig.tick();
    expect(rig.decisive).toBe(1);
  });

  it('every round with missedMax 1, if the other path has just answered', () => {
    const rig = steady({ missedMax: 1 });
    rig.play(1);
    expect(rig.decisive).toBe(1);
    rig.paths[STB].answers = [Number.POSITIVE_INFINITY];
    rig.play(1);
    expect(rig.decisive).toBe(0);
  });

  it('any: all targets have to be close; all: those that are decide', () => {
    const none = Number.POSITIVE_INFINITY;
    for (const all of [false, true]) {
      const rig = steady({ targets: 3, all });
      rig.paths[PRI].answers = [none, 0.2, none];
      rig.play(1);
      rig.sentTo = [];
      while (!rig.sentTo.includes(PRI)) rig.tick();
      expect(rig.decisive).toBe(all ? 0b101 : 0);
    }
    const most = steady({ targets: TARGETS_MAX, missedMax: 1 });
    most.play(1);
    expect(most.decisive).toBe(-1);
  });

  it('nothing without another path, nor of a fresh one', () => {
    const alone = new Rig({ missedMax: 1 });
    alone.rounds.link(STB, false, alone.now);
    alone.play(5);
    expect(alone.decisive).toBe(0);
    const fresh = new Rig({ missedMax: 1 });
    fresh.play(1);
    expect(fresh.decisive).toBe(0);
  });
});
