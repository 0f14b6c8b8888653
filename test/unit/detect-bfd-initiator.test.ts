import { describe, expect, it } from 'vitest';
import { NEVER } from '../../src/detect/bfd/engine.js';
import { SbfdInitiator } from '../../src/detect/bfd/initiator.js';
import * as P from '../../src/detect/bfd/packet.js';

const MS = 1e6;
const [ADMIN_DOWN, DOWN, , UP] = [0, 1, 2, 3] as const;
const OURS = 0x80000007;
const THEIRS = 0x0a630003;
const config = {
  discriminator: OURS,
  remoteDiscriminator: THEIRS,
  desiredMinTxUs: 10_000,
  requiredMinRxUs: 10_000,
  detectMult: 3,
};

/** An initiator and the reflector's answers, in a time of its own. */
class Scene {
  now = 5000 * MS;
  readonly s: SbfdInitiator;
  readonly asked: number[][] = [];
  constructor(more: Partial<typeof config> = {}) {
    this.s = new SbfdInitiator({ ...config, ...more }, () => 0.999);
  }
  ask(): number[] {
    const bytes = new Uint8Array(24);
    const words = new Uint32Array(P.PACKET_WORDS);
    this.now = Math.max(this.now, this.s.dueNs);
    expect(this.s.transmit({ bytes, view: new DataView(bytes.buffer), payload: 0 }, this.now)).toBe(24);
    expect(P.decodeControl(new DataView(bytes.buffer), 0, 24, words)).toBe(P.ACCEPTED);
    this.asked.push([...words]);
    return [...words];
  }
  answer(change: Partial<Record<number, number>> = {}): number {
    const words = Uint32Array.from([UP, 0, 0, 3, 24, THEIRS, OURS, 10_000, 1000, 0]);
    for (const [at, value] of Object.entries(change)) words[Number(at)] = value!;
    return this.s.receive(words, this.now);
  }
  up(): this {
    this.ask();
    expect(this.answer()).toBe(P.ACCEPTED);
    expect(this.s.state).toBe(UP);
    return this;
  }
}

describe('an S-BFD initiator', () => {
  it('asks with the demand bit and the reflector’s discriminator, once a second until it is answered', () => {
    const t = new Scene();
    expect(t.ask()).toEqual([DOWN, 0, P.FLAG_DEMAND, 3, 24, OURS, THEIRS, 1_000_000, 0, 0]);
    const first = t.now;
    t.ask();
    expect(t.now - first).toBeGreaterThan(990 * MS);
    expect({ state: t.s.state, expiresNs: t.s.expiresNs }).toEqual({ state: DOWN, expiresNs: NEVER });
    expect(t.answer()).toBe(P.ACCEPTED);
    expect({ state: t.s.state, remoteState: t.s.remoteState, intervalUs: t.s.intervalUs }).toEqual({
      state: UP,
      remoteState: UP,
      intervalUs: 10_000,
    });
    expect(t.s.dueNs - t.now).toBeLessThanOrEqual(10 * MS);
    expect(t.ask()).toEqual([UP, 0, P.FLAG_DEMAND, 3, 24, OURS, THEIRS, 10_000, 0, 0]);
  });

  it('is not faster than the reflector can take', () => {
    const t = new Scene();
    t.ask();
    t.answer({ [P.F_REQUIRED_MIN_RX]: 70_000 });
    expect({ intervalUs: t.s.intervalUs, detectNs: t.s.detectNs }).toEqual({
      intervalUs: 70_000,
      detectNs: 210 * MS,
    });
  });

  it('gives up after so many questions without an answer, and not for a pause of its own', () => {
    const t = new Scene().up();
    t.now += 3600e3 * MS;
    expect({ expiresNs: t.s.expiresNs, expired: t.s.expire(t.now) }).toEqual({
      expiresNs: NEVER,
      expired: false,
    });
    t.ask();
    t.ask();
    expect(t.s.expiresNs).toBe(NEVER);
    t.ask();
    expect(t.s.expiresNs).toBe(t.now + 10 * MS);
    // Another question does not put it off.
    const due = t.s.expiresNs;
    t.ask();
    expect(t.s.expiresNs).toBe(due);
    expect(t.s.expire(due - 1)).toBe(false);
    expect(t.s.expire(due)).toBe(true);
    expect({ state: t.s.state, diag: t.s.diag, intervalUs: t.s.intervalUs }).toEqual({
      state: DOWN,
      diag: P.DIAG_EXPIRED,
      intervalUs: 1_000_000,
    });
    expect(t.s.expire(due + 1e12)).toBe(false);
  });

  it.each([
    ['an answer', (t: Scene) => void t.answer()],
    ['an answer that the programs took in', (t: Scene) => t.s.heard(t.now + 1)],
  ])('%s ends the wait', (_, hear) => {
    const t = new Scene().up();
    for (let i = 0; i < 3; i++) t.ask();
    expect(t.s.expiresNs).not.toBe(NEVER);
    hear(t);
    expect(t.s.expiresNs).toBe(NEVER);
    t.ask();
    t.ask();
    expect(t.s.expiresNs).toBe(NEVER);
  });

  it('goes down, not by a fault, when the reflector is out of service, and up again', () => {
    const t = new Scene().up();
    expect(t.answer({ [P.F_STATE]: ADMIN_DOWN })).toBe(P.ACCEPTED);
    expect({ state: t.s.state, diag: t.s.diag, remoteState: t.s.remoteState }).toEqual({
      state: DOWN,
      diag: P.DIAG_NEIGHBOUR_DOWN,
      remoteState: ADMIN_DOWN,
    });
    expect(t.answer()).toBe(P.ACCEPTED);
    expect(t.s.state).toBe(UP);
  });

  it.each([
    ['another discriminator of ours', { [P.F_YOUR_DISCR]: OURS + 1 }, P.DISCARD_YOUR_DISCR],
    ['none of ours', { [P.F_YOUR_DISCR]: 0 }, P.DISCARD_YOUR_DISCR],
    ['another reflector', { [P.F_MY_DISCR]: 9 }, P.DISCARD_MY_DISCR],
    ['the demand bit: a question', { [P.F_FLAGS]: P.FLAG_DEMAND }, P.DISCARD_DEMAND],
    ['authentication', { [P.F_FLAGS]: P.FLAG_AUTH }, P.DISCARD_AUTH_UNWANTED],
    ['a state that no reflector has', { [P.F_STATE]: DOWN }, P.DISCARD_STATE],
    ['init', { [P.F_STATE]: 2 }, P.DISCARD_STATE],
  ])('refuses and counts an answer with %s, and nothing follows from it', (_, change, why) => {
    const t = new Scene().up();
    for (let i = 0; i < 3; i++) t.ask();
    const before = [t.s.state, t.s.expiresNs, t.s.lastHeardNs, t.s.intervalUs];
    expect(t.answer(change)).toBe(why);
    expect([t.s.state, t.s.expiresNs, t.s.lastHeardNs, t.s.intervalUs]).toEqual(before);
    expect(t.s.counts[why]).toBe(1);
  });

  it('out of service asks and believes nothing', () => {
    const t = new Scene().up();
    t.s.setAdminDown(true);
    expect({ dueNs: t.s.dueNs, expiresNs: t.s.expiresNs, answer: t.answer() }).toEqual({
      dueNs: NEVER,
      expiresNs: NEVER,
      answer: P.DISCARD_ADMIN_DOWN,
    });
    t.s.setAdminDown(false);
    t.up();
  });

  it.each([
    { detectMult: 0 },
    { desiredMinTxUs: 999 },
    { requiredMinRxUs: 60_000_001 },
    { discriminator: 0 },
  ])('refuses %o', (more) => {
    expect(() => new SbfdInitiator({ ...config, ...more }, Math.random)).toThrow(/is not an integer from/);
  });
});
