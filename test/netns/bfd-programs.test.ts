import { monotonicNs } from 'bpf-loader-ts/sys';
import { describe, expect, test } from 'vitest';
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import { arm, flip, pathOf } from '../../src/datapath/line.js';
import { LINE } from '../../src/datapath/offsets.js';
import { readNs } from '../../src/datapath/u64.js';
import type { BfdEndpoint, BfdFrame } from '../../src/detect/bfd/frame.js';
import { BFD_ECHO_PORT } from '../../src/detect/bfd/packet.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { parseIp } from '../../src/frames/address.js';
import { CAUSE_BFD } from '../../src/policy/evaluate.js';
import { DISCR, PEER, packet, type Rig, rig, UP } from '../helpers/bfd-rig.js';
import { word } from '../helpers/in-process.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

/** What the programs do with BFD, without a worker: the test is the worker. */

const payload = (f: BfdFrame, length = 24) =>
  Buffer.from(f.bytes.subarray(f.payload, f.payload + length)).toString('hex');
const quiet = (
  r: Rig,
  end: BfdEndpoint,
  o: { detectMs?: number; flips?: boolean; path?: 0 | 1; heardNs?: number } = {},
) => {
  const f = packet(end);
  const { detectMs = 60_000, flips = true, path = PRIMARY, heardNs = monotonicNs() } = o;
  r.map.quiet(r.datapath.slot, f.bytes, f.payload, 24, path, detectMs * 1e6, heardNs, flips);
};

describe.each(Object.entries(PEER))('a packet of our session, over %s,', (_, end) => {
  test('that repeats the one before is taken in: stamped, counted, not handed over, not seen by the stack', async () => {
    const r = await rig(end);
    quiet(r, end);
    for (let i = 1; i <= 20; i++) {
      const before = monotonicNs();
      r.send(packet(end).bytes);
      await until(
        () => r.map.count(r.datapath.slot, 'repeats'),
        (n) => n === i,
      );
      expect(r.map.heardNs(r.datapath.slot)).toBeGreaterThan(before);
    }
    expect([r.handed(), r.stack(), r.map.isQuiet(r.datapath.slot)]).toEqual([[], 0, true]);
  });

  test('by the other path is taken in, and is no sign of life of this one', async () => {
    const r = await rig(end);
    quiet(r, end, { path: STANDBY, heardNs: 5 });
    r.send(packet(end).bytes);
    await until(
      () => r.map.count(r.datapath.slot, 'repeats'),
      (n) => n === 1,
    );
    expect(r.map.heardNs(r.datapath.slot)).toBe(5);
    r.send(packet(end).bytes, 'virtio');
    await until(
      () => r.map.heardNs(r.datapath.slot),
      (ns) => ns > 5,
    );
    expect(r.handed()).toEqual([]);
  });

  test.each([
    ['another state', [1, ...UP.slice(1)], 24],
    ['a diagnostic', UP.with(1, 3), 24],
    ['a poll', UP.with(2, 0x20), 24],
    ['a final', UP.with(2, 0x10), 24],
    ['another multiplier', UP.with(3, 4), 24],
    ['another discriminator', UP.with(5, 78), 24],
    ['no discriminator of ours', UP.with(6, 0), 24],
    ['another transmit interval', UP.with(7, 20_000), 24],
    ['another receive interval', UP.with(8, 20_000), 24],
    ['an echo interval', UP.with(9, 1), 24],
    ['authentication', UP.with(2, 4).with(4, 52), 52],
    ['more than it says', UP, 25],
  ])('with %s is handed over whole, and ends the quiet', async (_what, words, length) => {
    const r = await rig(end);
    quiet(r, end);
    const f = packet(end, words, length);
    r.send(f.bytes);
    const got = await until(
      () => r.handed(),
      (h) => h.length > 0,
    );
    expect(got).toEqual([payload(f, length)]);
    expect([r.stack(), r.map.isQuiet(r.datapath.slot), r.map.count(r.datapath.slot, 'handed')]).toEqual([
      0,
      false,
      1,
    ]);
    r.send(packet(end).bytes);
    await until(
      () => r.handed(),
      (h) => h.length > 0,
    );
    expect(r.map.count(r.datapath.slot, 'repeats')).toBe(0);
  });

  test('of more than 52 bytes is handed over cut, with its length', async () => {
    const r = await rig(end);
    const f = packet(end, UP, 300);
    r.send(f.bytes);
    expect(
      await until(
        () => r.handed(),
        (h) => h.length > 0,
      ),
    ).toEqual([payload(f, 52)]);
  });

  test('that is bad is refused and counted; it is not handed over, ends no quiet, is no sign of life', async () => {
    const r = await rig(end);
    quiet(r, end, { heardNs: 5 });
    const v6 = end.local.length === 16;
    const bent = (change: (f: BfdFrame) => void, words = UP) => {
      const f = packet(end, words);
      change(f);
      return f.bytes;
    };
    const ip = 14;
    for (const ttl of [254, 64, 0]) r.send(bent((f) => f.view.setUint8(ip + (v6 ? 7 : 8), ttl)));
    await until(
      () => r.map.count(r.datapath.slot, 'low_ttl'),
      (n) => n === 3,
    );
    const refused = [
      bent(() => {}, UP.with(6, DISCR + 1)),
      bent((f) => f.view.setUint16(f.payload - 4, 31)),
      bent((f) => f.view.setUint16(f.payload - 4, 3)),
      bent((f) => f.view.setUint16(f.payload - 4, 900)),
      ...(v6 ? [] : [bent((f) => f.view.setUint16(ip + 6, 0x2000))]),
    ];
    for (const f of refused) r.send(f);
    await until(
      () => r.map.count(r.datapath.slot, 'refused'),
      (n) => n === refused.length,
    );
    expect(r.map.heardNs(r.datapath.slot)).toBe(5);
    expect([
      r.handed(),
      r.stack(),
      r.map.isQuiet(r.datapath.slot),
      r.map.count(r.datapath.slot, 'repeats'),
    ]).toEqual([[], 0, true, 0]);
  });

  test('and one that is not: it is the stack’s, as ever', async () => {
    const r = await rig(end);
    quiet(r, end, { heardNs: 5 });
    const other = parseIp(end.local.length === 16 ? 'fd99::99' : '10.99.0.99').bytes;
    const foreign = [
      packet({ ...end, local: other }).bytes,
      packet({ ...end, peer: other }).bytes,
      packet(end, UP, 24, BFD_ECHO_PORT).bytes,
    ];
    for (const f of foreign) r.send(f);
    let seen = 0;
    await until(
      () => (seen += r.stack()),
      (n) => n === foreign.length,
    );
    r.map.close(r.datapath.slot);
    r.send(packet(end).bytes);
    await until(
      () => r.stack(),
      (n) => n === 1,
    );
    expect([r.handed(), r.map.heardNs(r.datapath.slot)]).toEqual([[], 0]);
  });

  test('belongs to its VLAN', async () => {
    const tagged = { ...end, vlan: 42 };
    const r = await rig(tagged);
    r.send(packet(end).bytes);
    r.send(packet({ ...end, vlan: 43 }).bytes);
    r.send(packet(tagged).bytes);
    expect(
      await until(
        () => r.handed(),
        (h) => h.length > 0,
      ),
    ).toHaveLength(1);
    await quietFor(20);
    expect(r.handed()).toEqual([]);
  });
});

describe('the deadline', () => {
  const end = PEER.IPv4!;
  const armed = VfArm.VF_ARM_PRIMARY_BFD;
  const ready = async () => {
    const r = await rig(end);
    expect(r.datapath.bfd!.missing).toBeUndefined();
    expect(flip(r.lines, r.base, word(r), PRIMARY)).toBe(true);
    return r;
  };
  const start = (r: Rig, o: Parameters<typeof quiet>[2] = {}) => {
    quiet(r, end, { detectMs: 30, ...o });
    r.datapath.bfd!.start();
  };

  test('passes when the peer falls silent: tier 0 leaves the path, once, and not back by itself', async () => {
    const r = await ready();
    arm(r.lines, r.base, armed | VfArm.VF_ARM_STANDBY_BFD);
    const began = monotonicNs();
    start(r);
    await until(
      () => pathOf(word(r)),
      (p) => p === STANDBY,
    );
    expect(r.lines[r.base + LINE.flip_cause]).toBe(CAUSE_BFD);
    expect(readNs(r.lines, r.base + LINE.flip_ns) - began).toBeGreaterThanOrEqual(30e6);
    expect(r.lines[r.base + LINE.armed]).toBe(armed);
    await quietFor(100);
    expect(r.events).toEqual([{ cause: CAUSE_BFD, flipped: true }]);
    expect([r.map.count(r.datapath.slot, 'fired'), r.map.isQuiet(r.datapath.slot)]).toEqual([1, false]);
  });

  test('gives what waits a moment when it comes late: a pause of ours is not the peer’s silence', async () => {
    const r = await ready();
    arm(r.lines, r.base, armed);
    // As after a pause of 10 s: over long ago. A moment is an eighth of it: a second.
    start(r, { detectMs: 8000, heardNs: monotonicNs() - 18e9 });
    r.send(packet(end).bytes);
    // Longer than the moment, shorter than the deadline that the packet has moved: not to be stretched.
    await quietFor(2000 / SLOWDOWN);
    expect([pathOf(word(r)), r.map.isQuiet(r.datapath.slot), r.events]).toEqual([PRIMARY, true, []]);
    const began = monotonicNs();
    start(r, { detectMs: 4000, heardNs: began - 14e9 });
    await until(
      () => pathOf(word(r)),
      (p) => p === STANDBY,
    );
    expect(readNs(r.lines, r.base + LINE.flip_ns) - began).toBeGreaterThanOrEqual(500e6);
  });

  test('moves with each packet, and is kept by the programs when the daemon is gone', async () => {
    const r = await ready();
    arm(r.lines, r.base, armed);
    start(r, { detectMs: 2000 });
    r.datapath.release();
    const until_ = monotonicNs() + 3e9;
    while (monotonicNs() < until_) {
      r.send(packet(end).bytes);
      await elapse(20);
    }
    expect([pathOf(word(r)), r.map.count(r.datapath.slot, 'fired')]).toEqual([PRIMARY, 0]);
    await until(
      () => pathOf(word(r)),
      (p) => p === STANDBY,
      10_000,
    );
    expect(monotonicNs() - r.map.heardNs(r.datapath.slot)).toBeGreaterThanOrEqual(2e9);
  });

  test.each([
    ['nothing is armed', 0, {}],
    ['the other path is armed', VfArm.VF_ARM_STANDBY_BFD, {}],
    ['other detectors are armed', VfArm.VF_ARM_PRIMARY_SILENT, {}],
    ['other detectors have to agree', armed, { flips: false }],
    ['another path is watched than carries traffic', armed, { path: STANDBY as 0 | 1 }],
  ])('only wakes the worker when %s', async (_, bits, o) => {
    const r = await ready();
    arm(r.lines, r.base, bits);
    start(r, o);
    expect(
      await until(
        () => [...r.events],
        (e) => e.length > 0,
      ),
    ).toEqual([{ cause: CAUSE_BFD, flipped: false }]);
    expect(pathOf(word(r))).toBe(PRIMARY);
  });

  test('is the worker’s while it has the session in hand, and begins anew when told', async () => {
    const r = await ready();
    arm(r.lines, r.base, armed);
    start(r);
    r.map.busy(r.datapath.slot);
    await quietFor(100);
    expect([r.map.count(r.datapath.slot, 'fired'), pathOf(word(r))]).toEqual([0, PRIMARY]);
    start(r);
    await until(
      () => pathOf(word(r)),
      (p) => p === STANDBY,
    );
  });

  test('ends with the instance', async () => {
    const r = await ready();
    start(r, { detectMs: 1000 });
    r.datapath.remove();
    await quietFor(1500);
    expect(r.events).toEqual([]);
    expect(r.map.count(r.datapath.slot, 'fired')).toBe(0);
  });
});
