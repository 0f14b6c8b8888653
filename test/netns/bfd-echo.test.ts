import { monotonicNs } from 'bpf-loader-ts/sys';
import { describe, expect, test } from 'vitest';
import { VfArm, VfEcho } from '../../bpf/vfailover.bpf.js';
import { arm, flip, pathOf } from '../../src/datapath/line.js';
import { type BfdEndpoint, BfdFrame } from '../../src/detect/bfd/frame.js';
import type { BfdKey } from '../../src/detect/bfd/map.js';
import { BFD_ECHO_PORT } from '../../src/detect/bfd/packet.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { CAUSE_BFD } from '../../src/policy/evaluate.js';
import { Answers, ipSum, udpSum } from '../helpers/answers.js';
import { DISCR, PEER, packet, type Rig, rig } from '../helpers/bfd-rig.js';
import { word } from '../helpers/in-process.js';
import { quietFor, until } from '../helpers/wait.js';

/** The echo function in the programs: the test is the worker. */

const KEY = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
const FIRST = 0xfffffffe;

async function scene(end: BfdEndpoint, more: Partial<BfdKey>): Promise<Rig & { answers: Answers }> {
  const r = await rig(end, more);
  expect(flip(r.lines, r.base, word(r), PRIMARY)).toBe(true);
  r.map.move(r.datapath.slot, PRIMARY);
  return Object.assign(r, { answers: new Answers(r, BFD_ECHO_PORT) });
}

const ttlAt = (f: BfdFrame) => (f.bytes[12] === 0x86 ? 21 : 22);
function withTtl(f: BfdFrame, ttl: number): BfdFrame {
  f.view.setUint8(ttlAt(f), ttl);
  if (f.bytes[12] === 0x08) {
    f.view.setUint16(24, 0);
    f.view.setUint16(24, ipSum(f.bytes));
  }
  return f;
}

/** One of ours as it comes back: forwarded by the peer. */
function returned(end: BfdEndpoint, seq: number, o: { key?: Uint8Array; discr?: number; ttl?: number } = {}) {
  const f = BfdFrame.echo(
    { ...end, local: end.peer, peer: end.local, sourcePort: BFD_ECHO_PORT },
    VfEcho.size,
  );
  f.bytes.set(o.key ?? KEY, f.payload + VfEcho.offsets.key);
  f.view.setUint32(f.payload + VfEcho.offsets.seq, seq, true);
  f.view.setUint32(f.payload + VfEcho.offsets.discr, o.discr ?? DISCR);
  f.seal();
  return withTtl(f, o.ttl ?? 254);
}

describe.each(Object.entries(PEER))('over %s', (name, end) => {
  const v6 = name === 'IPv6';

  test('one of ours that comes back is stamped, once; it ends there, and takes the deadline away', async () => {
    const r = await scene(end, { echoKey: KEY });
    const { slot } = r.datapath;
    r.map.startEcho(slot, FIRST | 0);
    r.map.setEchoSent(slot, 2);
    // Over the end of the numbers.
    for (const [i, seq] of [0xffffffff, 0, 2].entries()) {
      r.map.setDue(slot, monotonicNs() + 1e12);
      const before = monotonicNs();
      r.send(returned(end, seq).bytes);
      await until(
        () => r.map.echoBack(slot),
        (n) => n === seq,
      );
      expect([i, r.map.echoNs(slot) > before, r.map.dueNs(slot)]).toEqual([i, true, 0]);
    }
    expect([r.map.count(slot, 'echo_refused'), r.stack(), r.handed()]).toEqual([0, 0, []]);
  });

  test('by the other slave it says nothing', async () => {
    const r = await scene(end, { echoKey: KEY });
    const { slot } = r.datapath;
    r.map.startEcho(slot, 0);
    r.map.setEchoSent(slot, 9);
    r.send(returned(end, 1).bytes, 'virtio');
    await quietFor(50);
    expect([r.map.echoBack(slot), r.map.count(slot, 'echo_refused')]).toEqual([0, 0]);
  });

  test('forged, replayed, cut, from afar: refused, counted, and the deadline stands', async () => {
    const r = await scene(end, { echoKey: KEY });
    const { slot } = r.datapath;
    r.map.startEcho(slot, 4);
    r.map.setEchoSent(slot, 6);
    r.send(returned(end, 6).bytes);
    await until(
      () => r.map.echoBack(slot),
      (n) => n === 6,
    );
    r.map.setEchoSent(slot, 8);
    const due = monotonicNs() + 1e12;
    r.map.setDue(slot, due);
    const cut = returned(end, 7);
    cut.view.setUint16(cut.payload - 4, 900);
    const bad = [
      returned(end, 6), // again
      returned(end, 5), // late
      returned(end, 9), // not sent yet
      returned(end, 0x7fffffff),
      returned(end, 7, { key: KEY.toReversed() }),
      returned(end, 7, { discr: DISCR + 1 }),
      returned(end, 7, { ttl: 253 }),
      cut,
    ];
    for (const f of bad) r.send(f.bytes);
    await until(
      () => r.map.count(slot, 'echo_refused'),
      (n) => n === bad.length,
    );
    expect([r.map.echoBack(slot), Math.abs(r.map.dueNs(slot) - due) < 1e4, r.stack()]).toEqual([6, true, 0]);
    r.send(returned(end, 7).bytes);
    await until(
      () => r.map.echoBack(slot),
      (n) => n === 7,
    );
  });

  /** The peer's: to its own address, as a router forwards them, or to ours, as FRR's bfdd has them looped. */
  const theirs = (to: 'itself' | 'us') => {
    const f =
      to === 'us'
        ? packet({ ...end, sourcePort: 49_999 }, undefined, 24, BFD_ECHO_PORT)
        : BfdFrame.echo({ ...end, sourcePort: BFD_ECHO_PORT }, 33);
    for (let i = 0; i < 24; i++) f.bytes[f.payload + i] = 3 * i;
    f.seal();
    return f;
  };

  test.each(['itself', 'us'] as const)(
    'one of the peer’s to %s is sent back with one hop less',
    async (to) => {
      const r = await scene(end, { echoLoop: true });
      for (let i = 1; i <= 3; i++) {
        const f = theirs(to);
        r.answers.send(f.bytes);
        const back = await until(
          () => r.answers.take('vf').filter((g) => g[ttlAt(f)] === 254),
          (got) => got.length > 0,
        );
        expect(back).toHaveLength(1);
        const want = f.bytes.slice();
        want.set(end.localMac, 0);
        want.set(end.peerMac, 6);
        want[ttlAt(f)] = 254;
        if (to === 'us') {
          want.set(end.peer, v6 ? 22 : 26);
          want.set(end.local, v6 ? 38 : 30);
          want.set(f.bytes.subarray(f.payload - 6, f.payload - 4), f.payload - 8);
          want.set(f.bytes.subarray(f.payload - 8, f.payload - 6), f.payload - 6);
        }
        if (!v6) want.set(back[0]!.subarray(24, 26), 24);
        expect(Buffer.from(back[0]!).toString('hex')).toBe(Buffer.from(want).toString('hex'));
        expect([udpSum(back[0]!), v6 ? 0 : ipSum(back[0]!)]).toEqual([0, 0]);
        expect(r.map.count(r.datapath.slot, 'echo_looped')).toBe(i);
      }
      expect([r.stack(), r.map.count(r.datapath.slot, 'echo_refused')]).toEqual([0, 0]);
    },
  );

  test('what must not be sent back is refused and counted', async () => {
    const r = await scene(end, { echoLoop: true });
    const bent = (change: (f: BfdFrame) => void, to: 'itself' | 'us' = 'itself') => {
      const f = theirs(to);
      change(f);
      return f.bytes;
    };
    const bad = [
      bent((f) => withTtl(f, 254)), // it was looped before
      bent((f) => withTtl(f, 254), 'us'),
      bent((f) => f.bytes.fill(255, 0, 6)), // to everybody
      bent((f) => f.bytes.set([1, 0, 0x5e, 0, 0, 1], 0), 'us'),
      bent((f) => f.bytes.set([2, 0, 0, 0, 0, 9], 0)), // to another
      bent((f) => f.view.setUint16(f.payload - 4, 900)), // cut
      bent((f) => f.view.setUint16(f.payload - 4, 3), 'us'),
      ...(v6 ? [] : [bent((f) => f.view.setUint16(20, 0x2000))]), // a fragment
      bent((f) => f.bytes.set(end.peer, v6 ? 22 : 26)), // as from ourselves
    ];
    for (const f of bad) r.answers.send(f);
    await until(
      () => r.map.count(r.datapath.slot, 'echo_refused'),
      (n) => n === bad.length,
    );
    await quietFor(20);
    expect([r.answers.take('vf').length, r.answers.take('virtio').length, r.stack()]).toEqual([0, 0, 0]);
    expect(r.map.count(r.datapath.slot, 'echo_looped')).toBe(0);
  });

  test('without that offer it is the stack’s', async () => {
    const r = await scene(end, {});
    r.answers.send(theirs('us').bytes);
    await until(
      () => r.stack(),
      (n) => n === 1,
    );
    expect(r.map.count(r.datapath.slot, 'echo_looped')).toBe(0);
  });
});

describe('the deadline of a question', () => {
  const end = PEER.IPv4!;
  const ready = async (more: Partial<BfdKey>) => {
    const r = await scene(end, { echoKey: KEY, ...more });
    arm(r.lines, r.base, VfArm.VF_ARM_PRIMARY_BFD);
    const f = packet(end);
    const { slot } = r.datapath;
    r.map.startEcho(slot, 0);
    const quiet = (detectMs: number) =>
      r.map.quiet(slot, f.bytes, f.payload, 24, PRIMARY, detectMs * 1e6, monotonicNs(), true);
    return Object.assign(r, { quiet, slot, again: () => r.send(packet(end).bytes) });
  };

  test('for an echo packet passes while the peer speaks: tier 0 leaves the path', async () => {
    const r = await ready({});
    r.quiet(60_000);
    r.datapath.bfd!.start();
    r.map.setEchoSent(r.slot, 3);
    r.map.setDue(r.slot, monotonicNs() + 100e6);
    r.datapath.bfd!.start();
    r.again();
    await until(
      () => pathOf(word(r)),
      (p) => p === STANDBY,
    );
    expect(r.events).toEqual([{ cause: CAUSE_BFD, flipped: true }]);
  });

  test('is gone when it comes back, or with another path', async () => {
    const r = await ready({});
    r.quiet(60_000);
    r.map.setEchoSent(r.slot, 3);
    r.map.setDue(r.slot, monotonicNs() + 2000e6);
    r.datapath.bfd!.start();
    r.send(returned(end, 2).bytes);
    await until(
      () => r.map.dueNs(r.slot),
      (ns) => ns === 0,
    );
    await quietFor(2500);
    expect([pathOf(word(r)), r.events]).toEqual([PRIMARY, []]);
  });

  test('S-BFD: nobody is missed who was not asked, and an answer ends the wait', async () => {
    const r = await ready({ asks: true, port: 49_155, from: 7784, ttl: 200 });
    const answer = (source: number, ttl: number) => {
      const f = packet({ ...end, sourcePort: 49_200 }, undefined, 24, 49_155);
      f.view.setUint16(f.payload - 8, source);
      f.seal();
      return withTtl(f, ttl).bytes;
    };
    r.quiet(20);
    r.datapath.bfd!.start();
    await quietFor(200);
    expect([pathOf(word(r)), r.events]).toEqual([PRIMARY, []]);
    r.map.setDue(r.slot, monotonicNs() + 2000e6);
    r.datapath.bfd!.start();
    for (const f of [answer(7785, 255), answer(7784, 199)]) r.send(f);
    await until(
      () => [r.map.count(r.slot, 'refused'), r.map.count(r.slot, 'low_ttl')],
      (n) => n.join() === '1,1',
    );
    expect(r.map.dueNs(r.slot)).toBeGreaterThan(0);
    r.send(answer(7784, 200));
    await until(
      () => r.map.dueNs(r.slot),
      (ns) => ns === 0,
    );
    expect(r.map.count(r.slot, 'repeats')).toBe(1);
    r.map.setDue(r.slot, monotonicNs() + 20e6);
    r.datapath.bfd!.start();
    await until(
      () => pathOf(word(r)),
      (p) => p === STANDBY,
    );
  });
});

test('an authenticated packet that repeats itself is taken in whole; one bit of its digest is something new', async () => {
  const end = PEER.IPv4!;
  const r = await rig(end);
  const { slot } = r.datapath;
  for (const length of [28, 43, 48, 52]) {
    const f = packet(end, [3, 0, 4, 3, length, 77, DISCR, 10_000, 10_000, 0], length);
    for (let i = 24; i < length; i++) f.bytes[f.payload + i] = i;
    f.seal();
    r.map.quiet(slot, f.bytes, f.payload, length, PRIMARY, 60e9, monotonicNs(), true);
    const before = r.map.count(slot, 'repeats');
    r.send(f.bytes);
    await until(
      () => r.map.count(slot, 'repeats'),
      (n) => n === before + 1,
    );
    expect(r.handed()).toEqual([]);
    for (const at of [24, length - 1]) {
      r.map.quiet(slot, f.bytes, f.payload, length, PRIMARY, 60e9, monotonicNs(), true);
      const g = f.bytes.slice();
      g[f.payload + at]! ^= 1;
      r.send(g);
      await until(
        () => r.handed(),
        (h) => h.length === 1,
      );
      expect([r.map.isQuiet(slot), r.map.count(slot, 'repeats')]).toEqual([false, before + 1]);
    }
    // In the worker's hands what repeats is heard all the same, so that a flood of forged ones hides nothing.
    const heard = r.map.heardNs(slot);
    r.send(f.bytes);
    await until(
      () => r.map.heardNs(slot),
      (ns) => ns > heard,
    );
    await until(
      () => r.handed(),
      (h) => h.length === 1,
    );
  }
});
