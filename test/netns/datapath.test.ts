import { BpfMap, RingBuffer } from 'bpf-loader-ts';
import { monotonicNs, PacketSocket } from 'bpf-loader-ts/sys';
import { describe, expect, test } from 'vitest';
import { bench as benchObject } from '../../bpf/bench.bpf.js';
import { VfArm, VfEvent, VfRecord } from '../../bpf/vfailover.bpf.js';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { requires } from '../../packages/bpf-loader-ts/test/kernel.js';
import { arm, epochOf, flip, pathOf } from '../../src/datapath/line.js';
import { LINE } from '../../src/datapath/offsets.js';
import { readNs } from '../../src/datapath/u64.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { parseMac } from '../../src/frames/mac.js';
import { bpfObject } from '../../src/paths.js';
import { CAUSE_ADMIN_DOWN, CAUSE_CARRIER, CAUSE_UNPLUG } from '../../src/policy/evaluate.js';
import { type Bench, inProcess, word } from '../helpers/in-process.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const PPS = 5000;

/** A frame with this destination; the rest of its bytes is `fill`. */
function frame(dst: string, fill: number, length = 80): Uint8Array {
  const f = new Uint8Array(length).fill(fill);
  f.set(parseMac(dst), 0);
  f.set([2, 0, 0, 0, 0, 0x99], 6);
  f.set([0x88, 0xb5], 12); // local experimental Ethertype
  return f;
}

/** Frames with the experimental Ethertype that reached a device, by their fill byte. */
function received(socket: PacketSocket): number[] {
  const buffer = new Uint8Array(2048);
  const fills: number[] = [];
  while (socket.recv(buffer) > 0) if (buffer[12] === 0x88 && buffer[13] === 0xb5) fills.push(buffer[20]!);
  return fills;
}

/** The same when at least `n` of them have come, and no more come after those. */
async function arriving(socket: PacketSocket, n: number): Promise<number[]> {
  const fills: number[] = [];
  await until(() => fills.push(...received(socket)) >= n);
  await quietFor(20);
  return [...fills, ...received(socket)];
}

/** Frames that have to pass each way after a switch before it counts as seen. */
const AFTER = 100;

/** Waits for the switch, and for traffic after it, both ways. */
async function steered(b: Bench, path: typeof PRIMARY | typeof STANDBY): Promise<void> {
  await until(
    () => pathOf(word(b)),
    (now) => now === path,
  );
  const passed = () => ({
    out: b.datapath.counters(path).tx.packets,
    in: b.datapath.counters(path).rx.packets,
  });
  const before = passed();
  await until(passed, (now) => now.out >= before.out + AFTER && now.in >= before.in + AFTER);
}

describe.each(['tcx', 'clsact'] as const)('steering (%s)', (attach) => {
  test('the word decides which slave sends; counters tell; nothing is lost by flips', async (context) => {
    if (attach === 'tcx') requires(context, 'TCX', '6.6');
    const b = await inProcess('veth', attach);
    await b.stream().start(PPS);
    await quietFor(50);
    expect(b.datapath.counters(PRIMARY).tx.packets).toBe(0);
    for (let i = 0; i < 200; i++) {
      const path = i % 2 ? STANDBY : PRIMARY;
      const sent = (): number => b.datapath.counters(path).tx.packets;
      expect(flip(b.lines, b.base, word(b), path)).toBe(true);
      const before = sent();
      await until(sent, (n) => n >= before + 2);
    }
    const r = await b.stream().stop();
    expect({ ...r.out, ...{ in: r.in.lost } }).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, in: 0 });
    expect(r.in.duplicated + r.in.reordered).toBe(0);
    const [p, s] = [b.datapath.counters(PRIMARY), b.datapath.counters(STANDBY)];
    expect(p.tx.packets).toBeGreaterThan(100);
    expect(s.tx.packets).toBeGreaterThan(100);
    expect(p.rx.packets).toBeGreaterThan(100);
    expect(p.tx.packets + s.tx.packets).toBeGreaterThanOrEqual(r.sent);
    // The recorder is TCX and runs before clsact: there the frames are taken away before `accept` sees them.
    if (attach === 'tcx') expect(p.rx.packets + s.rx.packets).toBeGreaterThanOrEqual(r.sent);
    expect(epochOf(word(b))).toBe(200);
  });
});

test('a stale writer loses', async () => {
  const b = await inProcess('veth');
  const seen = word(b);
  expect(flip(b.lines, b.base, seen, PRIMARY)).toBe(true);
  expect(flip(b.lines, b.base, seen, STANDBY)).toBe(false);
  expect(pathOf(word(b))).toBe(PRIMARY);
});

describe.each(['veth', 'tap'] as const)('tier 0 on %s', (kind) => {
  /** Steers over the primary with tier 0 armed and traffic running. */
  async function armed(bits = VfArm.VF_ARM_PRIMARY | VfArm.VF_ARM_STANDBY): Promise<Bench> {
    const b = await inProcess(kind);
    flip(b.lines, b.base, word(b), PRIMARY);
    arm(b.lines, b.base, bits);
    await b.stream().start(PPS);
    await until(() => b.datapath.counters(PRIMARY).tx.packets);
    return b;
  }

  test('carrier loss: flips, takes back the frame, tells by line and by event', async (context) => {
    requires(context, 'tier 0 on carrier: bpf_cast_to_kern_ctx', '6.2');
    const b = await armed();
    const events = BpfMap.fromPin(`${b.store.root}/events/0`);
    const ring = new RingBuffer(events);
    const before = monotonicNs();
    b.world.cutVf();
    await steered(b, STANDBY);
    const r = await b.stream().stop({ orderedNs: before, detectedNs: null, immediate: true });
    expect(pathOf(word(b))).toBe(STANDBY);
    expect(b.lines[b.base + LINE.flip_cause]).toBe(CAUSE_CARRIER);
    expect(b.lines[b.base + LINE.flip_word]).toBe(word(b));
    const flipped = readNs(b.lines, b.base + LINE.flip_ns);
    expect(flipped).toBeGreaterThan(before);
    const seen: number[][] = [];
    ring.consume((v, at) =>
      seen.push([
        v.getUint32(at + VfEvent.offsets.kind, true),
        v.getUint32(at + VfEvent.offsets.slot, true),
        v.getUint32(at + VfEvent.offsets.cause, true),
        v.getUint32(at + VfEvent.offsets.new_word, true),
      ]),
    );
    expect(seen).toEqual([[VfRecord.VF_RECORD_FLIP, b.datapath.slot, CAUSE_CARRIER, word(b)]]);
    // Where the driver's own report flips (a kernel that may be traced), no frame need have met the dead path.
    if (b.datapath.carrierSignalMissing) expect(b.datapath.counters(PRIMARY).tx.rerouted).toBeGreaterThan(0);
    expect(r.out.outageNs).not.toBeNull();
    expect(r.in.outageNs).not.toBeNull();
    expect(r.out.lost).toBeLessThan(r.sent / 4);
    ring.close();
    events.close();
  });

  test('not armed: nothing flips, frames of the dead path are counted as dropped', async (context) => {
    requires(context, 'tier 0 on carrier: bpf_cast_to_kern_ctx', '6.2');
    const b = await armed(0);
    const before = word(b);
    b.world.cutVf();
    await until(
      () => b.datapath.counters(PRIMARY).tx.drops,
      (drops) => drops > 50,
    );
    const r = await b.stream().stop();
    expect(word(b)).toBe(before);
    expect(r.out.lost).toBeGreaterThan(50);
  });

  test('unplug: the device is closed, deleted, and nobody says so', async () => {
    const b = await armed();
    b.world.unplugVf();
    await steered(b, STANDBY);
    const r = await b.stream().stop();
    expect(pathOf(word(b))).toBe(STANDBY);
    expect([CAUSE_ADMIN_DOWN, CAUSE_CARRIER, CAUSE_UNPLUG]).toContain(b.lines[b.base + LINE.flip_cause]);
    expect(r.out.lost).toBeLessThan(r.sent / 4);
  });

  test('unplug without traffic, then one frame: the vanished device is noticed within a jiffy', async () => {
    const b = await armed();
    await b.stream().stop();
    // Traffic stops before the device goes, so no frame meets it while it is being closed.
    b.world.unplugVf();
    await elapse(30);
    // Some drivers report a lost carrier first: where the kernel may be traced that is noticed without a frame.
    const told = !b.datapath.carrierSignalMissing && pathOf(word(b)) === STANDBY;
    if (!told) expect(pathOf(word(b))).toBe(PRIMARY);
    await b.stream().start(PPS);
    await b.stream().stop();
    expect(pathOf(word(b))).toBe(STANDBY);
    expect(b.lines[b.base + LINE.flip_cause]).toBe(told ? CAUSE_CARRIER : CAUSE_UNPLUG);
  });

  test('the standby loses carrier while it is active: the primary takes over', async (context) => {
    requires(context, 'tier 0 on carrier: bpf_cast_to_kern_ctx', '6.2');
    const b = await armed();
    flip(b.lines, b.base, word(b), STANDBY);
    await until(() => b.datapath.counters(STANDBY).tx.packets);
    b.world.virtio.carrier(false);
    await steered(b, PRIMARY);
    await b.stream().stop();
    expect(pathOf(word(b))).toBe(PRIMARY);
    expect(b.lines[b.base + LINE.flip_cause]).toBe(CAUSE_CARRIER);
    b.world.virtio.carrier(true);
  });
});

describe('broadcast and multicast', () => {
  async function scene() {
    const b = await inProcess('veth');
    const { world } = b;
    flip(b.lines, b.base, word(b), PRIMARY);
    await b.stream().start(PPS, 1);
    await b.stream().stop();
    await elapse(150); // the grace window of the flip is over
    // One protocol only: a socket for all of them taps a device before its ingress programs run, and sees what they drop.
    const guest = new PacketSocket({
      netns: world.guest,
      ifindex: world.virtio.guestIfindex,
      protocol: 0x88b5,
    });
    const host = new PacketSocket({ netns: world.host, ifindex: world.bridge });
    return { b, guest, host };
  }

  test('what the host floods to both slaves arrives once, whichever is active', async () => {
    const { b, guest, host } = await scene();
    for (const dst of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:fb']) {
      for (const path of [PRIMARY, STANDBY] as const) {
        flip(b.lines, b.base, word(b), path);
        // Around the flip: both slaves may deliver, and still each frame arrives once.
        for (let i = 0; i < 20; i++) host.send(frame(dst, 100 + i));
        expect(await arriving(guest, 20)).toEqual(Array.from({ length: 20 }, (_, i) => 100 + i));
        await elapse(150);
        for (let i = 0; i < 20; i++) host.send(frame(dst, i));
        expect(await arriving(guest, 20)).toEqual(Array.from({ length: 20 }, (_, i) => i));
      }
    }
    const suppressed =
      b.datapath.counters(PRIMARY).rx.suppressed + b.datapath.counters(STANDBY).rx.suppressed;
    expect(suppressed).toBeGreaterThanOrEqual(160);
    guest.close();
    host.close();
  });

  test('the same frame twice on one slave is two frames', async () => {
    const { b, guest } = await scene();
    const port = new PacketSocket({ netns: b.world.host, ifindex: b.world.vf.hostIfindex });
    flip(b.lines, b.base, word(b), STANDBY);
    flip(b.lines, b.base, word(b), PRIMARY);
    port.send(frame('ff:ff:ff:ff:ff:ff', 7));
    port.send(frame('ff:ff:ff:ff:ff:ff', 7));
    expect(await arriving(guest, 2)).toEqual([7, 7]);
    guest.close();
    port.close();
  });

  test('unicast is accepted on both slaves at any time', async () => {
    const { b, guest } = await scene();
    for (const [i, ifindex] of [b.world.vf.hostIfindex, b.world.virtio.hostIfindex].entries()) {
      const port = new PacketSocket({ netns: b.world.host, ifindex });
      port.send(frame(GUEST_MAC, i));
      expect(await arriving(guest, 1)).toEqual([i]);
      port.close();
    }
    guest.close();
  });

  test('link-local control frames stay on the wire they came by', async () => {
    const { b, guest } = await scene();
    const onVf = new PacketSocket({ netns: b.world.guest, ifindex: b.world.vf.guestIfindex });
    const port = new PacketSocket({ netns: b.world.host, ifindex: b.world.vf.hostIfindex });
    onVf.drain();
    port.send(frame('01:80:c2:00:00:0e', 9)); // LLDP
    port.send(frame(GUEST_MAC, 10));
    expect(await arriving(guest, 1)).toEqual([10]);
    expect(received(onVf)).toContain(9);
    guest.close();
    onVf.close();
    port.close();
  });
});

describe('counting', () => {
  /** struct __sk_buff with gso_segs and gso_size set. */
  const context = (segs: number, size: number): Uint8Array => {
    const v = new DataView(new ArrayBuffer(192));
    v.setUint32(164, segs, true);
    v.setUint32(176, size, true);
    return new Uint8Array(v.buffer);
  };
  test.each([
    { what: 'IPv4 TCP with options', ip: 4, proto: 6, tcp: 32, header: 14 + 20 + 32 },
    { what: 'IPv6 TCP', ip: 6, proto: 6, tcp: 20, header: 14 + 40 + 20 },
    { what: 'IPv4 UDP', ip: 4, proto: 17, tcp: 8, header: 14 + 20 + 8 },
  ])('$what: a segmented frame counts as its segments on the wire', ({ ip, proto, tcp, header }) => {
    using object = benchObject.load(bpfObject('bench'), {
      variables: { vf_slot: 0, vf_cpus: 1, vf_has_kern_ctx: 0 },
      maxEntries: { counters: 64 },
    });
    using counters = object.maps.counters.mmap();
    const segs = 3;
    const size = 1000;
    const data = new Uint8Array(header + segs * size);
    data.set(ip === 4 ? [8, 0] : [0x86, 0xdd], 12);
    data[14] = ip === 4 ? 0x45 : 0x60;
    data[14 + (ip === 4 ? 9 : 6)] = proto;
    data[14 + (ip === 4 ? 20 : 40) + 12] = (tcp / 4) << 4;
    object.programs.vf_count_only.testRun({ data, ctx: context(segs, size) });
    const sums = [0, 0];
    for (let cpu = 0; cpu < 64; cpu++) {
      const count = counters.at(cpu).tx.at(0);
      sums[0]! += count.packetsNumber;
      sums[1]! += count.bytesNumber;
    }
    expect(sums).toEqual([segs, segs * (header + size)]);
  });
});
