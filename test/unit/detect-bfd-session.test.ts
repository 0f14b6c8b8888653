import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import type { BfdAuthConfig } from '../../src/detect/bfd/auth.js';
import * as P from '../../src/detect/bfd/packet.js';
import type { BfdSessionConfig } from '../../src/detect/bfd/parameters.js';
import { BfdSession, NEVER } from '../../src/detect/bfd/session.js';
import { VfError } from '../../src/errors.js';

const MS = 1e6;
const [ADMIN_DOWN, DOWN, INIT, UP] = [0, 1, 2, 3] as const;
const base = { discriminator: 1, desiredMinTxUs: 10_000, requiredMinRxUs: 10_000, detectMult: 3 };

/** A sequence that covers [0, 1) and is the same in every run. */
function chance(seed = 1) {
  let x = seed;
  return () => {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    return x / 4294967296;
  };
}

interface Sent {
  ns: number;
  from: number;
  words: number[];
  bytes: Uint8Array;
}

/** Two sessions and a wire between them, in a time of their own. */
class Pair {
  now = 1000 * MS;
  readonly ends: BfdSession[];
  readonly sent: Sent[] = [];
  /** Loses a packet for which this is true. */
  lose: (s: Sent) => boolean = () => false;
  delay = 0.1 * MS;
  readonly #words = new Uint32Array(P.PACKET_WORDS);
  #wire: { at: number; to: BfdSession; bytes: Uint8Array }[] = [];

  constructor(a: Partial<BfdSessionConfig> = {}, b: Partial<BfdSessionConfig> = {}) {
    this.ends = [
      new BfdSession({ ...base, ...a }, chance(7)),
      new BfdSession({ ...base, discriminator: 0x80000002, ...b }, chance(8)),
    ];
  }

  get states() {
    return this.ends.map((s) => s.state);
  }

  deliver(to: BfdSession, bytes: Uint8Array) {
    expect(P.decodeControl(new DataView(bytes.buffer), 0, bytes.length, this.#words)).toBe(P.ACCEPTED);
    return to.receive(this.#words, bytes, 0, this.now);
  }

  #send(from: number) {
    const bytes = new Uint8Array(this.ends[from]!.length);
    const view = new DataView(bytes.buffer);
    expect(this.ends[from]!.transmit(bytes, view, 0, this.now)).toBe(bytes.length);
    expect(P.decodeControl(view, 0, bytes.length, this.#words)).toBe(P.ACCEPTED);
    const s = { ns: this.now, from, words: [...this.#words], bytes };
    this.sent.push(s);
    if (!this.lose(s)) this.#wire.push({ at: this.now + this.delay, to: this.ends[1 - from]!, bytes });
  }

  run(ms: number) {
    const until = this.now + ms * MS;
    for (;;) {
      const next = Math.min(
        ...this.ends.flatMap((s) => [s.dueNs, s.expiresNs]),
        ...this.#wire.map((w) => w.at),
      );
      if (next > until) break;
      this.now = Math.max(this.now, next);
      const arrived = this.#wire.filter((w) => w.at <= this.now);
      this.#wire = this.#wire.filter((w) => w.at > this.now);
      for (const w of arrived) this.deliver(w.to, w.bytes);
      for (const [i, s] of this.ends.entries()) {
        s.expire(this.now);
        if (s.dueNs <= this.now) this.#send(i);
      }
    }
    this.now = until;
    return this;
  }

  up() {
    this.run(4000);
    expect(this.states).toEqual([UP, UP]);
    expect(this.ends.map((s) => s.polling)).toEqual([false, false]);
    return this;
  }

  of(from: number, since = 0) {
    return this.sent.filter((s) => s.from === from && s.ns >= since);
  }
}

/** A session and a peer of which every word is chosen. */
class Alone {
  now = 1000 * MS;
  readonly session: BfdSession;

  constructor(config: Partial<BfdSessionConfig> = {}) {
    this.session = new BfdSession({ ...base, ...config }, chance());
  }

  say(state: number, change: Partial<Record<number, number>> = {}) {
    const words = Uint32Array.of(state, 0, 0, 3, 24, 99, state > DOWN ? 1 : 0, 10_000, 10_000, 0);
    for (const [at, value] of Object.entries(change)) words[Number(at)] = value!;
    const bytes = new Uint8Array(24);
    P.encodeControl(new DataView(bytes.buffer), 0, words);
    return this.session.receive(words, bytes, 0, this.now);
  }

  sends() {
    const view = new DataView(new ArrayBuffer(P.BFD_MAX));
    const n = this.session.transmit(new Uint8Array(view.buffer), view, 0, this.now);
    const words = new Uint32Array(P.PACKET_WORDS);
    if (n > 0) expect(P.decodeControl(view, 0, n, words)).toBe(P.ACCEPTED);
    return n === 0 ? undefined : [...words];
  }

  up() {
    this.say(DOWN);
    this.say(UP, { [P.F_FLAGS]: P.FLAG_FINAL });
    this.sends();
    this.say(UP, { [P.F_FLAGS]: P.FLAG_FINAL });
    expect([this.session.state, this.session.polling]).toEqual([UP, false]);
    this.sends();
    return this;
  }
}

describe('the state machine', () => {
  it.each([
    // mine, theirs, then
    [DOWN, ADMIN_DOWN, DOWN, P.DIAG_NONE],
    [DOWN, DOWN, INIT, P.DIAG_NONE],
    [DOWN, INIT, UP, P.DIAG_NONE],
    [DOWN, UP, DOWN, P.DIAG_NONE],
    [INIT, ADMIN_DOWN, DOWN, P.DIAG_NEIGHBOUR_DOWN],
    [INIT, DOWN, INIT, P.DIAG_NONE],
    [INIT, INIT, UP, P.DIAG_NONE],
    [INIT, UP, UP, P.DIAG_NONE],
    [UP, ADMIN_DOWN, DOWN, P.DIAG_NEIGHBOUR_DOWN],
    [UP, DOWN, DOWN, P.DIAG_NEIGHBOUR_DOWN],
    [UP, INIT, UP, P.DIAG_NONE],
    [UP, UP, UP, P.DIAG_NONE],
  ])('in state %i, told %i, is in %i', (mine, theirs, then, diag) => {
    const a = new Alone();
    if (mine !== DOWN) a.say(DOWN);
    if (mine === UP) a.say(UP);
    expect(a.session.state).toBe(mine);
    const before = a.session.transitions;
    expect(a.say(theirs)).toBe(P.ACCEPTED);
    expect([a.session.state, a.session.diag]).toEqual([then, diag]);
    expect(a.session.transitions - before).toBe(mine === then ? 0 : 1);
    if (mine !== then) expect(a.session.dueNs).toBe(0);
  });

  it('refuses everything while administratively down, says so, and begins anew after it', () => {
    const a = new Alone().up();
    a.session.setAdminDown(true, a.now);
    expect(a.sends()!.slice(0, 2)).toEqual([ADMIN_DOWN, P.DIAG_ADMIN_DOWN]);
    for (const state of [ADMIN_DOWN, DOWN, INIT, UP])
      expect(a.say(state, { [P.F_FLAGS]: P.FLAG_POLL })).toBe(P.DISCARD_ADMIN_DOWN);
    expect([a.session.state, a.session.counts[P.DISCARD_ADMIN_DOWN]]).toEqual([ADMIN_DOWN, 4]);
    expect(a.sends()).toBeUndefined();
    a.session.setAdminDown(true, a.now);
    a.session.setAdminDown(false, a.now);
    expect([a.session.state, a.session.diag]).toEqual([DOWN, P.DIAG_NONE]);
    a.say(DOWN);
    expect(a.session.state).toBe(INIT);
  });

  it('brings two ends up, at the slow rate until then', () => {
    const p = new Pair().up();
    const before = p.sent.filter((s) => s.words[P.F_STATE] !== UP);
    expect(before.every((s) => s.words[P.F_DESIRED_MIN_TX] === 1_000_000)).toBe(true);
    expect(p.sent.some((s) => s.words[P.F_STATE] === UP && s.words[P.F_DESIRED_MIN_TX] === 10_000)).toBe(
      true,
    );
    expect(p.ends.map((s) => [s.intervalUs, s.detectNs])).toEqual([
      [10_000, 30 * MS],
      [10_000, 30 * MS],
    ]);
  });

  it('sends at most once in 750 ms to a peer that is not there', () => {
    const p = new Pair();
    p.lose = () => true;
    p.run(60_000);
    const times = p.of(0).map((s) => s.ns);
    const gaps = times.slice(1).map((t, i) => t - times[i]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(750 * MS);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1000 * MS);
  });

  it('takes a peer that began anew, under another discriminator', () => {
    const a = new Alone().up();
    a.say(DOWN, { [P.F_MY_DISCR]: 77 });
    expect([a.session.state, a.session.remoteDiscriminator]).toEqual([DOWN, 77]);
    a.say(DOWN, { [P.F_MY_DISCR]: 77 });
    expect([a.session.state, a.sends()![P.F_YOUR_DISCR]]).toEqual([INIT, 77]);
  });
});

describe('the detection time', () => {
  it('is the peer’s multiplier times the slower of its offer and our need', () => {
    const a = new Alone({ requiredMinRxUs: 20_000 }).up();
    expect(a.session.detectNs).toBe(60 * MS);
    a.say(UP, { [P.F_DETECT_MULT]: 255, [P.F_DESIRED_MIN_TX]: 0xffffffff });
    expect(a.session.detectNs).toBe(255 * 0xffffffff * 1000);
  });

  it('passes exactly once, to the nanosecond, and everything known of the peer with it', () => {
    const a = new Alone().up();
    const due = a.session.expiresNs;
    expect(due).toBe(a.now + 30 * MS);
    expect(a.session.expire(due - 1)).toBe(false);
    expect(a.session.expire(due)).toBe(true);
    expect([a.session.state, a.session.diag, a.session.remoteDiscriminator]).toEqual([
      DOWN,
      P.DIAG_EXPIRED,
      0,
    ]);
    expect([a.session.expiresNs, a.session.expire(due + 1)]).toEqual([NEVER, false]);
    a.now = due;
    expect(a.sends()!.slice(0, 2)).toEqual([DOWN, P.DIAG_EXPIRED]);
    expect(a.session.intervalUs).toBe(1_000_000);
  });

  it('moves with what the programs took in, never backwards', () => {
    const a = new Alone().up();
    const due = a.session.expiresNs;
    a.session.heard(a.now + 5 * MS);
    a.session.heard(a.now + 2 * MS);
    expect(a.session.expiresNs).toBe(due + 5 * MS);
    a.session.expire(due + 5 * MS);
    a.session.heard(due + 6 * MS);
    expect(a.session.expiresNs).toBe(NEVER);
  });

  it('ends the wait of a session that never came up, without a change', () => {
    const a = new Alone();
    a.say(UP, { [P.F_YOUR_DISCR]: 1 });
    expect(a.session.state).toBe(DOWN);
    expect(a.session.expire(a.session.expiresNs)).toBe(false);
    expect([a.session.transitions, a.session.remoteDiscriminator]).toEqual([0, 0]);
  });

  it('takes both ends down when the wire is cut, and both come back when it is mended', () => {
    const p = new Pair().up();
    const cut = p.now;
    p.lose = () => true;
    p.run(40);
    expect(p.states).toEqual([DOWN, DOWN]);
    for (const s of p.ends) expect(s.changedNs - cut).toBeLessThanOrEqual(30 * MS + p.delay);
    p.lose = () => false;
    p.up();
  });

  it('of one end alone takes the other down by its word', () => {
    const p = new Pair().up();
    p.lose = (s) => s.from === 1;
    p.run(50);
    expect(p.states[0]).toBe(DOWN);
    expect(p.ends[1]!.state).not.toBe(UP);
    expect(p.sent.some((s) => s.from === 1 && s.words[P.F_DIAG] === P.DIAG_NEIGHBOUR_DOWN)).toBe(true);
  });

  it('outlives the loss of all packets but one of the multiplier', () => {
    const p = new Pair({ detectMult: 5 }, { detectMult: 5 }).up();
    const n = [0, 0];
    p.lose = (s) => n[s.from]!++ % 4 !== 0;
    const before = p.ends.map((s) => s.transitions);
    p.run(3000);
    expect(p.ends.map((s) => s.transitions)).toEqual(before);
  });
});

describe('jitter', () => {
  it.each([
    [3, 7.5, 10],
    [1, 7.5, 9],
  ])('with multiplier %i leaves %d to %d of 10 ms', (detectMult, least, most) => {
    const p = new Pair({ detectMult }).up();
    const since = p.now;
    p.run(20_000);
    const times = p.of(0, since).map((s) => s.ns);
    const gaps = times.slice(1).map((t, i) => (t - times[i]!) / MS);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(most);
    expect(Math.min(...gaps)).toBeLessThan(least + 0.1);
    expect(Math.max(...gaps)).toBeGreaterThan(most - 0.1);
  });
});

describe('a poll sequence', () => {
  it('is answered at once, without P, and without moving the next packet', () => {
    const a = new Alone().up();
    const due = a.session.dueNs;
    a.say(UP, { [P.F_FLAGS]: P.FLAG_POLL });
    expect(a.session.dueNs).toBe(0);
    expect(a.sends()![P.F_FLAGS]).toBe(P.FLAG_FINAL);
    expect(a.session.dueNs).toBe(due);
    expect(a.sends()).toBeUndefined();
  });

  it('that a session begins is in every packet until it is answered; the answer to a poll never has both bits', () => {
    const a = new Alone().up();
    a.session.setParameters({ ...base, desiredMinTxUs: 50_000 }, a.now);
    expect(a.sends()![P.F_FLAGS]).toBe(P.FLAG_POLL);
    a.now = a.session.dueNs;
    expect(a.sends()![P.F_FLAGS]).toBe(P.FLAG_POLL);
    a.say(UP, { [P.F_FLAGS]: P.FLAG_POLL });
    expect(a.sends()![P.F_FLAGS]).toBe(P.FLAG_FINAL);
    a.say(UP, { [P.F_FLAGS]: P.FLAG_FINAL });
    a.now = a.session.dueNs;
    expect(a.sends()![P.F_FLAGS]).toBe(0);
  });

  it('keeps the faster of two transmit intervals until it ends', () => {
    const p = new Pair().up();
    p.lose = (s) => s.from === 1 && (s.words[P.F_FLAGS]! & P.FLAG_FINAL) !== 0;
    p.ends[0]!.setParameters({ ...base, desiredMinTxUs: 100_000 }, p.now);
    p.run(200);
    expect([p.ends[0]!.polling, p.ends[0]!.intervalUs]).toEqual([true, 10_000]);
    expect(p.ends[1]!.detectNs).toBe(300 * MS);
    p.lose = () => false;
    p.run(200);
    expect([p.ends[0]!.polling, p.ends[0]!.intervalUs]).toEqual([false, 100_000]);
    expect(p.states).toEqual([UP, UP]);
  });

  it('uses a faster transmit interval at once', () => {
    const p = new Pair({}, { requiredMinRxUs: 1000 }).up();
    p.ends[0]!.setParameters({ ...base, desiredMinTxUs: 2000 }, p.now);
    expect([p.ends[0]!.polling, p.ends[0]!.intervalUs]).toEqual([true, 2000]);
    p.run(50);
    expect(p.ends[0]!.polling).toBe(false);
    expect(p.of(0, p.now - 10 * MS).length).toBeGreaterThanOrEqual(4);
  });

  it('keeps the slower receive interval for detection until it ends', () => {
    const p = new Pair({ requiredMinRxUs: 100_000 }).up();
    expect(p.ends[0]!.detectNs).toBe(300 * MS);
    p.ends[0]!.setParameters(base, p.now);
    expect(p.ends[0]!.detectNs).toBe(300 * MS);
    p.run(200);
    expect(p.ends[0]!.detectNs).toBe(30 * MS);
    expect(p.states).toEqual([UP, UP]);
  });

  it('begins again if the offer changed while it ran', () => {
    const a = new Alone().up();
    a.session.setParameters({ ...base, desiredMinTxUs: 50_000 }, a.now);
    a.sends();
    a.session.setParameters({ ...base, desiredMinTxUs: 80_000 }, a.now);
    a.say(UP, { [P.F_FLAGS]: P.FLAG_FINAL });
    expect([a.session.polling, a.session.intervalUs]).toEqual([true, 10_000]);
    expect(a.sends()![P.F_DESIRED_MIN_TX]).toBe(80_000);
    a.say(UP, { [P.F_FLAGS]: P.FLAG_FINAL });
    expect([a.session.polling, a.session.intervalUs]).toEqual([false, 80_000]);
  });

  it('is not needed for the multiplier, which the peer is told at once', () => {
    const p = new Pair().up();
    p.ends[0]!.setParameters({ ...base, detectMult: 7 }, p.now);
    expect([p.ends[0]!.polling, p.ends[0]!.dueNs]).toEqual([false, 0]);
    p.run(1);
    expect([p.ends[1]!.remoteDetectMult, p.ends[1]!.detectNs]).toEqual([7, 70 * MS]);
  });

  it('of many changes in a row ends with the last one on both ends, and nobody goes down', () => {
    const us = fc.integer({ min: 1000, max: 61_000 });
    const change = fc.record({
      end: fc.nat(1),
      parameters: fc.record({
        desiredMinTxUs: us,
        requiredMinRxUs: us,
        detectMult: fc.integer({ min: 2, max: 6 }),
      }),
      ms: fc.nat(100),
    });
    const property = fc.property(fc.array(change, { maxLength: 60, size: 'max' }), (changes) => {
      const p = new Pair().up();
      const before = p.ends.map((s) => s.transitions);
      for (const { end, parameters, ms } of changes) {
        p.ends[end]!.setParameters(parameters, p.now);
        p.run(ms);
      }
      expect(p.ends.map((s) => s.transitions)).toEqual(before);
      for (const s of p.ends) s.setParameters(base, p.now);
      p.run(500);
      const end = { polling: false, intervalUs: 10_000, detectNs: 30 * MS };
      expect(p.ends).toMatchObject([end, end]);
    });
    fc.assert(property, walks(10));
  });
});

describe('what the peer asks for', () => {
  it('is heeded: its receive interval, and 0 for no packets but answers', () => {
    const a = new Alone().up();
    a.say(UP, { [P.F_REQUIRED_MIN_RX]: 40_000 });
    expect(a.session.intervalUs).toBe(40_000);
    a.say(UP, { [P.F_REQUIRED_MIN_RX]: 0 });
    expect([a.session.intervalUs, a.session.dueNs]).toEqual([0, NEVER]);
    a.say(UP, { [P.F_REQUIRED_MIN_RX]: 0, [P.F_FLAGS]: P.FLAG_POLL });
    expect(a.sends()![P.F_FLAGS]).toBe(P.FLAG_FINAL);
    expect(a.session.dueNs).toBe(NEVER);
    a.say(UP);
    expect(a.session.intervalUs).toBe(10_000);
    expect(a.session.dueNs).toBeLessThanOrEqual(a.now + 10 * MS);
  });

  it('is heeded when it is demand mode, which is never asked for itself', () => {
    const a = new Alone().up();
    a.say(UP, { [P.F_FLAGS]: P.FLAG_DEMAND });
    expect(a.session.dueNs).toBe(NEVER);
    a.say(UP, { [P.F_FLAGS]: P.FLAG_DEMAND | P.FLAG_POLL });
    expect(a.sends()![P.F_FLAGS]).toBe(P.FLAG_FINAL);
    a.session.setParameters({ ...base, desiredMinTxUs: 20_000 }, a.now);
    expect(a.sends()![P.F_FLAGS]).toBe(P.FLAG_POLL);
    expect(a.session.dueNs).toBeLessThan(NEVER);
    a.say(UP);
    expect(a.session.dueNs).toBeLessThan(NEVER);
  });

  it('is told: echo interval and diagnostic of the peer', () => {
    const a = new Alone({ requiredMinEchoRxUs: 5000 }).up();
    a.say(UP, { [P.F_REQUIRED_MIN_ECHO_RX]: 50_000, [P.F_DIAG]: 5 });
    expect([a.session.remoteMinEchoRxUs, a.session.remoteDiag]).toEqual([50_000, 5]);
    a.say(UP, { [P.F_FLAGS]: P.FLAG_POLL });
    expect(a.sends()![P.F_REQUIRED_MIN_ECHO_RX]).toBe(5000);
  });
});

it('a failure seen otherwise takes the session down, with its own diagnostic, and only one that was up', () => {
  const a = new Alone();
  expect(a.session.fail(P.DIAG_ECHO_FAILED, a.now)).toBe(false);
  a.up();
  expect(a.session.fail(P.DIAG_ECHO_FAILED, a.now)).toBe(true);
  expect(a.sends()!.slice(0, 2)).toEqual([DOWN, P.DIAG_ECHO_FAILED]);
});

const key = new Uint8Array(Buffer.from('secret'));
const auth = (type: BfdAuthConfig['type']): BfdAuthConfig => ({ type, keyId: 1, key });

describe('authentication', () => {
  it.each(['simple', 'keyed-md5', 'meticulous-md5', 'keyed-sha1', 'meticulous-sha1'] as const)(
    '%s: up, and up again after one end began anew with other numbers',
    (type) => {
      const p = new Pair({ auth: auth(type) }, { auth: auth(type) }).up();
      expect(p.ends.every((s) => s.counts.subarray(1).every((n) => n === 0))).toBe(true);
      p.ends[1] = new BfdSession({ ...base, discriminator: 3, auth: auth(type) }, chance(99));
      p.run(100).up();
    },
  );

  it('must be there if wanted, and not if not', () => {
    const p = new Pair({ auth: auth('keyed-sha1') }).run(5000);
    expect(p.states).toEqual([DOWN, DOWN]);
    expect(p.ends[0]!.counts[P.DISCARD_AUTH_ABSENT]).toBeGreaterThan(3);
    expect(p.ends[1]!.counts[P.DISCARD_AUTH_UNWANTED]).toBeGreaterThan(3);
  });

  it('a replayed or forged packet changes nothing, not even the time of the last one', () => {
    const p = new Pair({ auth: auth('meticulous-sha1') }, { auth: auth('meticulous-sha1') });
    p.run(4000);
    const [a] = p.ends as [BfdSession];
    const old = p.of(1).filter((s) => s.words[P.F_STATE] === DOWN);
    p.run(5);
    const view = () => [
      a.state,
      a.transitions,
      a.lastHeardNs,
      a.dueNs,
      a.remoteDiscriminator,
      a.detectNs,
      a.polling,
    ];
    const before = view();
    expect(old.length).toBeGreaterThan(0);
    for (const s of old) expect(p.deliver(a, s.bytes)).toBe(P.DISCARD_AUTH_SEQUENCE);
    const forged = p.of(1).at(-1)!.bytes.slice();
    forged[1] = (forged[1]! & 0x3f) | (DOWN << 6);
    forged[31]! += 1;
    expect(p.deliver(a, forged)).toBe(P.DISCARD_AUTH_DIGEST);
    expect(view()).toEqual(before);
  });
});

it.each([ADMIN_DOWN, DOWN, INIT, UP])(
  'a packet for another discriminator, state %i, changes nothing',
  (state) => {
    const a = new Alone().up();
    const before = [a.session.state, a.session.expiresNs, a.session.dueNs];
    a.now += MS;
    expect(a.say(state, { [P.F_YOUR_DISCR]: 2, [P.F_FLAGS]: P.FLAG_POLL })).toBe(P.DISCARD_YOUR_DISCR);
    expect([a.session.state, a.session.expiresNs, a.session.dueNs]).toEqual(before);
    expect(a.session.counts[P.DISCARD_YOUR_DISCR]).toBe(1);
  },
);

it.each([
  ['tx_interval_us', { desiredMinTxUs: 999 }],
  ['tx_interval_us', { desiredMinTxUs: 60_000_001 }],
  ['rx_interval_us', { requiredMinRxUs: 0 }],
  ['multiplier', { detectMult: 0 }],
  ['multiplier', { detectMult: 256 }],
  ['echo_rx_interval_us', { requiredMinEchoRxUs: 10 }],
])('%s out of range is refused, at the start and later, and changes nothing', (field, change) => {
  const wrong = expect.objectContaining({ code: 'CONFIG_INVALID', field: `detect.bfd.${field}` });
  expect(() => new BfdSession({ ...base, ...change }, chance())).toThrow(wrong);
  const a = new Alone().up();
  const due = a.session.dueNs;
  expect(() => a.session.setParameters({ ...base, ...change }, a.now)).toThrow(wrong);
  expect([a.session.dueNs, a.session.polling]).toEqual([due, false]);
});

it('a discriminator is 1 to 2³² - 1', () => {
  for (const discriminator of [0, 2 ** 32, 1.5])
    expect(() => new BfdSession({ ...base, discriminator }, chance())).toThrow(VfError);
});
