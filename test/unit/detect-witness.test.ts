import { describe, expect, it } from 'vitest';
import { Witness } from '../../src/detect/witness/state.js';

const MS = 1e6;

class Rig {
  readonly witness = new Witness({ timeoutNs: 1000 * MS, minFrames: 3 });
  readonly counts = [0, 0];
  now = 5e12;

  constructor() {
    for (const p of [0, 1]) this.witness.link(p, true);
  }

  /** `every` 100 ms, `times` times, the paths in `on` receive a frame. */
  play(times: number, on: readonly number[], every = 100): this {
    for (let i = 0; i < times; i++) {
      this.now += every * MS;
      for (const p of on) this.counts[p] = (this.counts[p]! + 1) | 0;
      this.witness.step(this.now, this.counts[0]!, this.counts[1]!);
    }
    return this;
  }

  get dead(): number[] {
    return [...this.witness.dead];
  }
}

const steady = (): Rig => new Rig().play(5, [0, 1]);

describe('witness', () => {
  it('a path that misses what the other receives for long enough is dead, until the next frame', () => {
    const rig = steady().play(10, [1]);
    expect(rig.dead).toEqual([0, 0]);
    expect(rig.play(1, [1]).dead).toEqual([1, 0]);
    expect(rig.witness.missing[0]).toBe(11);
    expect(rig.play(1, [0, 1]).dead).toEqual([0, 0]);
  });

  it('silence on both says nothing', () => {
    expect(steady().play(100, []).dead).toEqual([0, 0]);
  });

  it('a burst that one path lost says nothing', () => {
    const rig = steady();
    expect(rig.play(20, [1], 1).play(100, []).dead).toEqual([0, 0]);
  });

  it('too few frames say nothing', () => {
    expect(steady().play(2, [1], 900).play(20, []).dead).toEqual([0, 0]);
  });

  it('a path that never received any is not expected to', () => {
    const rig = new Rig();
    expect(rig.play(2, [0, 1]).play(100, [1]).dead).toEqual([0, 0]);
  });

  it('a path without a link, or beside one, is not judged; with a new link it begins anew', () => {
    const rig = steady().play(11, [1]);
    expect(rig.dead).toEqual([1, 0]);
    rig.witness.link(0, false);
    expect(rig.play(20, [1]).dead).toEqual([0, 0]);
    rig.witness.link(0, true);
    expect(rig.play(50, [1]).dead).toEqual([0, 0]);
    const alone = steady();
    alone.witness.link(1, false);
    expect(alone.play(50, [1]).dead).toEqual([0, 0]);
  });

  it('counts that wrap are counts', () => {
    const rig = new Rig();
    rig.counts.fill(0x7ffffffe);
    rig.play(5, [0, 1]).play(11, [0]);
    expect(rig.dead).toEqual([0, 1]);
  });
});
