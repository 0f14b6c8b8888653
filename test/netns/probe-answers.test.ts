import { monotonicNs, type PacketSocket } from 'bpf-loader-ts/sys';
import { expect, test } from 'vitest';
import { HOST_ADDRESS } from '../../lab/netns/world.js';
import { PROBE, PROBING } from '../../src/datapath/offsets.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { arpRequest } from '../../src/frames/arp.js';
import {
  ARP,
  advert,
  arpReply,
  echoReply,
  frame,
  HOST6,
  ICMP,
  ip,
  mac,
  ND,
  NONE,
  type Scene,
  scene,
  tagged,
  theirMac,
} from '../helpers/probe-scene.js';
import { quietFor, until } from '../helpers/wait.js';

const poke = (at: number, value: number) => (b: Uint8Array) => {
  b[at] = value;
};
const after = (change: (b: Uint8Array) => void, bytes: Uint8Array): Uint8Array => {
  change(bytes);
  return bytes;
};

interface Wrong {
  what: string;
  target: number;
  protocol: number;
  make: (s: Scene, seq: number) => Uint8Array;
  /** It is not ours at all, so the stack gets it; otherwise it is refused, */
  passes?: boolean;
  /** and taken away, unless it belongs to another VLAN. */
  vlan?: boolean;
}

type Case = Omit<Wrong, 'target' | 'protocol'>;
const p = (s: Scene, change: (b: Uint8Array) => void): Uint8Array => advert(s, PRIMARY, change);
const e = (s: Scene, seq: number, change?: (b: Uint8Array) => void): Uint8Array =>
  echoReply(s, PRIMARY, seq, change);

const WRONG_ARP: Case[] = [
  { what: 'ARP of somebody else', make: () => after(poke(31, 77), arpReply()), passes: true },
  { what: 'ARP to another MAC', make: () => after(poke(37, 9), arpReply()), passes: true },
  { what: 'ARP of another hardware', make: () => after(poke(15, 6), arpReply()), passes: true },
  { what: 'ARP cut short', make: () => arpReply().subarray(0, 41), passes: true },
  { what: 'ARP in another VLAN', make: () => tagged(arpReply(), 5), passes: true },
];
const WRONG_ND: Case[] = [
  { what: 'ND of hop limit 254', make: (s) => p(s, poke(21, 254)) },
  { what: 'ND that nobody solicited', make: (s) => p(s, poke(58, 0x20)) },
  { what: 'ND with a code', make: (s) => p(s, poke(55, 1)) },
  { what: 'ND about another target', make: (s) => p(s, poke(77, 1)) },
  { what: 'ND to a target that there is not', make: (s) => p(s, poke(53, 0x40)) },
  { what: 'ND with a wrong sum', make: (s) => after(poke(56, 0x12), advert(s, PRIMARY)) },
  { what: 'ND with options unknown here', make: (s) => p(s, poke(19, 40)) },
  { what: 'ND to everybody’s MAC', make: (s) => after((b) => b.fill(0xff, 0, 6), advert(s, PRIMARY)) },
  { what: 'ND cut short', make: (s) => advert(s, PRIMARY).subarray(0, 70), passes: true },
  { what: 'ND to an address not ours', make: (s) => p(s, poke(50, 0xee)), passes: true },
  { what: 'ND in another VLAN', make: (s) => tagged(advert(s, PRIMARY), 5), vlan: true },
];
const WRONG_ICMP: Case[] = [
  { what: 'an echo of an earlier probe', make: (s, n) => e(s, n - 1) },
  { what: 'an echo of another host', make: (s, n) => e(s, n, poke(29, 77)) },
  { what: 'an echo to another address', make: (s, n) => e(s, n, poke(33, 77)) },
  { what: 'an echo with a code', make: (s, n) => e(s, n, poke(35, 3)) },
  { what: 'an echo of no path', make: (s, n) => e(s, n, poke(54, 2)) },
  { what: 'an echo of no target', make: (s, n) => e(s, n, poke(55, 99)) },
  { what: 'an echo with a wrong sum', make: (s, n) => after(poke(36, 1), e(s, n)) },
  { what: 'an echo without the cookie', make: (s, n) => e(s, n, poke(45, 0)), passes: true },
  { what: 'somebody else’s echo', make: (s, n) => e(s, n, poke(38, 0)), passes: true },
  { what: 'a fragment', make: (s, n) => e(s, n, poke(20, 0x20)), passes: true },
  { what: 'an echo cut short', make: (s, n) => e(s, n).subarray(0, 56), passes: true },
  { what: 'an echo in another VLAN', make: (s, n) => tagged(e(s, n), 5), vlan: true },
];
const PROTOCOL = [0x0806, 0x86dd, 0x0800] as const;
const WRONG: Wrong[] = [WRONG_ARP, WRONG_ND, WRONG_ICMP].flatMap((cases, target) =>
  cases.map((c) => ({ ...c, target, protocol: PROTOCOL[target]! })),
);

const RIGHT = [
  (_s: Scene, _path: number, _seq: number) => arpReply(),
  (s: Scene, path: number) => advert(s, path),
  (s: Scene, path: number, seq: number) => echoReply(s, path, seq),
];

function framesOf(socket: PacketSocket): number {
  const buffer = new Uint8Array(2048);
  let n = 0;
  while (socket.recv(buffer) > 0) if (buffer.subarray(6, 12).every((x, i) => x === theirMac[i])) n++;
  return n;
}

test.each(['transparent', 'net-failover'] as const)(
  '%s: a right answer is stamped and absorbed, on whichever path; a second one is refused',
  async (model) => {
    const s = await scene(model);
    const { guestRtnl } = s.b.world;
    const devices = guestRtnl.links().map((d) => d.ifindex);
    let seq = 100;
    for (const target of [ARP, ND, ICMP]) {
      const stacks = devices.map((d) => s.stack(PROTOCOL[target]!, d));
      for (const asked of [PRIMARY, STANDBY])
        for (const by of [PRIMARY, STANDBY]) {
          s.wait(asked ^ 1, target, 0);
          s.wait(asked, target, ++seq);
          const before = monotonicNs();
          const wrong = s.refused(by);
          s.send(by, RIGHT[target]!(s, asked, seq));
          await until(
            () => s.answered(asked, target),
            (n) => n === seq,
          );
          const at = s.at(asked, target);
          expect(s.words[at + PROBE.arrived_path]).toBe(by);
          const arrived =
            s.words[at + PROBE.arrived_ns + 1]! * 2 ** 32 + (s.words[at + PROBE.arrived_ns]! >>> 0);
          expect(arrived).toBeGreaterThanOrEqual(before);
          s.send(by, RIGHT[target]!(s, asked, seq));
          await until(
            () => s.refused(by),
            (n) => n === wrong + 1,
          );
        }
      expect(stacks.map(framesOf)).toEqual(devices.map(() => 0));
    }
  },
);

test('who is asked in a VLAN answers there: no other answer counts, or is kept from the stack', async () => {
  const s = await scene('transparent', 5);
  let seq = 500;
  for (const target of [ARP, ND, ICMP]) {
    const stack = s.stack(PROTOCOL[target]!);
    s.wait(PRIMARY, target, ++seq);
    const right = RIGHT[target]!(s, PRIMARY, seq);
    const refused = s.refused(PRIMARY);
    for (const wrong of [right, tagged(right, 6)]) s.send(PRIMARY, wrong);
    let passed = 0;
    await until(
      () => {
        passed += framesOf(stack);
        return [passed, s.refused(PRIMARY) - refused];
      },
      ([stackHas, counted]) => stackHas === 2 && counted === (target === ARP ? 0 : 2),
    );
    expect(s.answered(PRIMARY, target)).not.toBe(seq);
    s.send(PRIMARY, tagged(right, 5));
    await until(
      () => s.answered(PRIMARY, target),
      (n) => n === seq,
    );
    expect(framesOf(stack)).toBe(0);
    stack.close();
  }
  const ours = arpRequest({ mac, source: NONE, target: ip(HOST_ADDRESS) });
  s.send(STANDBY, tagged(ours, 5));
  await until(
    () => s.heard(STANDBY),
    (n) => n === 1,
  );
  s.send(STANDBY, ours);
  await quietFor(50);
  expect(s.heard(STANDBY)).toBe(1);
});

test('an advertisement without its option is an answer too', async () => {
  const s = await scene();
  s.wait(STANDBY, ND, 7);
  s.send(
    STANDBY,
    advert(s, STANDBY, () => {}, false),
  );
  await until(
    () => s.answered(STANDBY, ND),
    (n) => n === 7,
  );
});

test('a wrong one neither answers nor keeps the right one from answering', async () => {
  const s = await scene();
  let seq = 1000;
  for (const { what, target, protocol, make, passes = false, vlan = false } of WRONG) {
    const stack = s.stack(protocol);
    s.wait(PRIMARY, target, ++seq);
    const refused = s.refused(PRIMARY);
    s.send(PRIMARY, make(s, seq));
    let passed = 0;
    await until(
      () => {
        passed += framesOf(stack);
        return { what, passed, refused: s.refused(PRIMARY) - refused };
      },
      (seen) => seen.passed === (passes || vlan ? 1 : 0) && seen.refused === (passes ? 0 : 1),
    );
    expect([what, s.answered(PRIMARY, target) === seq]).toEqual([what, false]);
    s.send(PRIMARY, RIGHT[target]!(s, PRIMARY, seq));
    await until(
      () => s.answered(PRIMARY, target),
      (n) => n === seq,
    );
    expect([what, framesOf(stack)]).toEqual([what, 0]);
    stack.close();
  }
});

test('that a target asks whether the made-up address is still there is not told to the stack', async () => {
  const s = await scene();
  const stack = s.stack(0x86dd);
  const local = s.head(PROBING.local, 16);
  const solicit = (target: Uint8Array): Uint8Array =>
    frame(
      [0x86, 0xdd],
      [0x60, 0, 0, 0, 0, 24, 58, 255],
      ip(HOST6),
      target,
      [135, 0, 0, 0, 0, 0, 0, 0],
      target,
    );
  s.send(PRIMARY, solicit(local));
  // Of another address it is.
  const other = Uint8Array.from(local);
  other[9] = other[9]! ^ 1;
  s.send(PRIMARY, solicit(other));
  await until(
    () => framesOf(stack),
    (n) => n === 1,
  );
  await quietFor(20);
  expect(framesOf(stack)).toBe(0);
});

test('the other path’s question, which the network floods, is absorbed and shows that this one hears', async () => {
  const s = await scene();
  const stack = s.stack(0x0806);
  const ours = arpRequest({ mac, source: NONE, target: ip(HOST_ADDRESS) });
  s.send(STANDBY, ours);
  await until(
    () => s.heard(STANDBY),
    (n) => n === 1,
  );
  await quietFor(20);
  const seen: Uint8Array[] = [];
  for (let b = new Uint8Array(2048), n = stack.recv(b); n > 0; n = stack.recv(b)) seen.push(b.slice(0, n));
  expect(seen.filter((b) => Buffer.compare(b, ours) === 0)).toEqual([]);
  // Not one in another VLAN, about somebody who is not asked, or of somebody else.
  s.send(STANDBY, tagged(ours, 5));
  s.send(STANDBY, arpRequest({ mac, source: NONE, target: ip('10.99.0.78') }));
  s.send(STANDBY, arpRequest({ mac: theirMac, source: NONE, target: ip(HOST_ADDRESS) }));
  await quietFor(50);
  expect(s.heard(STANDBY)).toBe(1);
});
