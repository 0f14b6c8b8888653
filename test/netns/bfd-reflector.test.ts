import { PacketSocket } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { VfDetector } from '../../bpf/vfailover.bpf.js';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { attachKind } from '../../src/datapath/hooks.js';
import { flip, pathOf } from '../../src/datapath/line.js';
import type { ReflectorKey, ReflectorReason } from '../../src/datapath/reflector-map.js';
import { type BfdEndpoint, BfdFrame } from '../../src/detect/bfd/frame.js';
import { decodeControl, encodeControl, PACKET_WORDS, SBFD_PORT } from '../../src/detect/bfd/packet.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { parseIp } from '../../src/frames/address.js';
import { parseMac } from '../../src/frames/mac.js';
import { Answers, ipSum, udpSum } from '../helpers/answers.js';
import { type Bench, inProcess, word } from '../helpers/in-process.js';
import { quietFor, until } from '../helpers/wait.js';

/** The S-BFD reflector in the programs: no worker, no stack. */

const DISCR = 0x0a630002;
const ASKER = '02:76:66:00:00:fe';
const ENDS: Record<string, BfdEndpoint> = Object.fromEntries(
  [
    ['IPv4', '10.99.0.1', '10.99.0.2'],
    ['IPv6', 'fd99::1', 'fd99::2'],
  ].map(([name, local, peer]) => [
    name!,
    {
      localMac: parseMac(ASKER),
      peerMac: parseMac(GUEST_MAC),
      local: parseIp(local!).bytes,
      peer: parseIp(peer!).bytes,
      sourcePort: 50_000,
    },
  ]),
);
const DEMAND = 0x02;
/** Down, multiplier 3, with the demand bit: what an initiator says first. */
const QUESTION = [1, 0, DEMAND, 3, 24, 0x99000077, DISCR, 1_000_000, 0, 0];
const KEY: ReflectorKey = {
  discriminators: [0x01020304, DISCR],
  addresses: [parseIp('10.99.0.2').bytes, parseIp('fd99::2').bytes],
  vlan: undefined,
  ttlMin: 255,
  rxIntervalUs: 2000,
  up: true,
  mac: parseMac(GUEST_MAC),
};

interface Scene extends Bench {
  answers: Answers;
  refused(): Partial<Record<ReflectorReason, number>>;
}

async function scene(key: Partial<ReflectorKey> = {}): Promise<Scene> {
  const b = await inProcess('veth', attachKind('auto'), { vf_detect: VfDetector.VF_DETECT_REFLECTOR });
  b.datapath.reflect({ ...KEY, ...key });
  expect(flip(b.lines, b.base, word(b), PRIMARY)).toBe(true);
  return {
    ...b,
    answers: new Answers(b, SBFD_PORT),
    refused: () => Object.fromEntries(Object.entries(b.datapath.reflected.refused).filter(([, n]) => n > 0)),
  };
}

function question(end: BfdEndpoint, words: number[] = QUESTION, length = 24): BfdFrame {
  const f = new BfdFrame(end, length, SBFD_PORT);
  encodeControl(f.view, f.payload, Uint32Array.from(words));
  f.seal();
  return f;
}

/** The BFD packet of an answer, and its headers in words. */
function read(frame: Uint8Array) {
  const v6 = frame[12] === 0x86;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const udp = v6 ? 54 : 34;
  const out = new Uint32Array(PACKET_WORDS);
  expect(decodeControl(view, udp + 8, view.getUint16(udp + 4) - 8, out)).toBe(0);
  const hex = (from: number, n: number) => Buffer.from(frame.subarray(from, from + n)).toString('hex');
  return {
    to: hex(0, 6),
    from: hex(6, 6),
    source: v6 ? hex(22, 16) : hex(26, 4),
    target: v6 ? hex(38, 16) : hex(30, 4),
    ttl: frame[v6 ? 21 : 22],
    ports: [view.getUint16(udp), view.getUint16(udp + 2)],
    words: [...out],
    sums: [udpSum(frame), v6 ? 0 : ipSum(frame)],
  };
}
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe.each(Object.entries(ENDS))('over %s', (name, end) => {
  const v6 = name === 'IPv6';

  test('a question comes back as its answer, where it came from', async () => {
    const s = await scene();
    for (let i = 1; i <= 3; i++) {
      s.answers.send(question(end).bytes);
      expect(read(await s.answers.one('vf'))).toEqual({
        to: hexOf(end.localMac),
        from: hexOf(end.peerMac),
        source: hexOf(end.peer),
        target: hexOf(end.local),
        ttl: 255,
        ports: [SBFD_PORT, 50_000],
        words: [3, 0, 0, 3, 24, DISCR, 0x99000077, 1_000_000, 2000, 0],
        sums: [0, 0],
      });
      expect(s.datapath.reflected).toMatchObject({ answered: i });
    }
    expect(s.refused()).toEqual({});
  });

  test('by the inactive slave the answer leaves by the active one', async () => {
    const s = await scene();
    s.answers.send(question(end).bytes, 'virtio');
    expect(read(await s.answers.one('vf')).words[5]).toBe(DISCR);
  });

  test('a poll is answered with the final bit; out of service the answer says so', async () => {
    const s = await scene({ up: false });
    s.answers.send(question(end, QUESTION.with(2, DEMAND | 0x20)).bytes);
    expect(read(await s.answers.one('vf'))).toMatchObject({
      words: [0, 0, 0x10, 3, 24, DISCR, 0x99000077, 1_000_000, 2000, 0],
      sums: [0, 0],
    });
  });

  test('goes on without a daemon', async () => {
    const s = await scene();
    s.datapath.release();
    s.answers.send(question(end).bytes);
    await s.answers.one('vf');
  });

  test('from behind a router, where that is allowed', async () => {
    const s = await scene({ ttlMin: 250 });
    const f = question(end);
    f.view.setUint8(v6 ? 21 : 22, 251);
    if (!v6) {
      f.view.setUint16(24, 0);
      f.view.setUint16(24, ipSum(f.bytes));
    }
    s.answers.send(f.bytes);
    expect(read(await s.answers.one('vf'))).toMatchObject({ ttl: 255, sums: [0, 0] });
  });

  const bent = (change: (f: BfdFrame) => void, words = QUESTION, length = 24, e = end) => {
    const f = question(e, words, length);
    change(f);
    return f.bytes;
  };
  const ip = 14;
  const udp = v6 ? 54 : 34;
  const byte = (at: number, value: number) => bent((f) => f.view.setUint8(at, value));
  const bytes = (at: number, values: number[]) => bent((f) => f.bytes.set(values, at));
  const source = (text: string) => bent((f) => f.bytes.set(parseIp(text).bytes, v6 ? ip + 8 : ip + 12));
  const cases: [ReflectorReason, string, () => Uint8Array][] = [
    ['ttl', 'one hop too far', () => byte(v6 ? ip + 7 : ip + 8, 254)],
    ['ttl', 'no hop left', () => byte(v6 ? ip + 7 : ip + 8, 0)],
    ['not for us alone', 'broadcast', () => bytes(0, [255, 255, 255, 255, 255, 255])],
    ['not for us alone', 'multicast', () => bytes(0, [1, 0, 0x5e, 0, 0, 1])],
    ['not for us alone', 'another station', () => bytes(0, [2, 0, 0, 0, 0, 9])],
    ['not for us alone', 'from a group', () => byte(6, 0x03)],
    ['source', 'from ourselves', () => source(v6 ? 'fd99::2' : '10.99.0.2')],
    ['source', 'from nobody', () => source(v6 ? '::' : '0.0.0.0')],
    ['source', 'from loopback', () => source(v6 ? '::1' : '127.0.0.1')],
    ['source', 'from a group address', () => source(v6 ? 'ff02::1' : '224.0.0.1')],
    ['source', 'from port 0', () => bytes(udp, [0, 0])],
    ['form', 'cut', () => bent((f) => f.view.setUint16(udp + 4, 31))],
    ['form', 'longer', () => bent(() => {}, QUESTION, 25)],
    ['form', 'longer than the frame', () => bent((f) => f.view.setUint16(udp + 4, 900))],
    ['form', 'version 0', () => byte(udp + 8, 0)],
    ['form', 'a length that lies', () => byte(udp + 11, 25)],
    ['form', 'multiplier 0', () => byte(udp + 10, 0)],
    ['form', 'discriminator 0', () => bytes(udp + 12, [0, 0, 0, 0])],
    ['form', 'authentication', () => byte(udp + 9, 0x40 | DEMAND | 0x04)],
    ['form', 'multipoint', () => byte(udp + 9, 0x40 | DEMAND | 0x01)],
    ['discriminator', 'another’s', () => bytes(udp + 16, [9, 9, 9, 9])],
    ['discriminator', 'none', () => bytes(udp + 16, [0, 0, 0, 0])],
    ['an answer', 'without the demand bit', () => byte(udp + 9, 0xc0)],
    ['an answer', 'from a reflector', () => bytes(udp, [SBFD_PORT >> 8, SBFD_PORT & 255])],
    ...(v6 ? [] : ([['form', 'a fragment', () => bytes(ip + 6, [0x20, 0])]] as typeof cases)),
  ];

  test('what is none is refused, counted by why, and neither answered nor seen by the stack', async () => {
    const s = await scene();
    const stack = new PacketSocket({
      netns: s.world.guest,
      ifindex: s.world.virtio.guestIfindex,
      protocol: 3,
      bypass: true,
    });
    onTestFinished(() => stack.close());
    const want: Partial<Record<ReflectorReason, number>> = {};
    for (const [why, what, frame] of cases) {
      want[why] = (want[why] ?? 0) + 1;
      s.answers.send(frame());
      await until(
        () => [what, s.refused()],
        ([, now]) =>
          JSON.stringify(now, Object.keys(now!).sort()) === JSON.stringify(want, Object.keys(want).sort()),
      );
    }
    s.answers.none();
    expect(s.datapath.reflected.answered).toBe(0);
    const buffer = new Uint8Array(2048);
    for (let n = stack.recv(buffer); n >= 0; n = stack.recv(buffer))
      expect((buffer[udp + 2]! << 8) | buffer[udp + 3]!).not.toBe(SBFD_PORT);
    // And still it answers.
    s.answers.send(question(end).bytes);
    await s.answers.one('vf');
  });
});

test('a question to everybody at an address that is not ours is counted, and the stack’s', async () => {
  const s = await scene();
  const end = { ...ENDS.IPv4!, peer: parseIp('10.99.0.255').bytes };
  const f = question(end);
  f.bytes.fill(255, 0, 6);
  s.answers.send(f.bytes);
  await until(
    () => s.refused(),
    (r) => r['not for us alone'] === 1,
  );
  s.answers.none();
});

test('with net-failover it answers on either slave that is active', async () => {
  const detect = { vf_detect: VfDetector.VF_DETECT_REFLECTOR };
  const b = await inProcess('veth', attachKind('auto'), detect, 'net-failover');
  b.datapath.reflect(KEY);
  const answers = new Answers(b, SBFD_PORT);
  for (const [path, by] of [
    [PRIMARY, 'vf'],
    [STANDBY, 'virtio'],
  ] as const) {
    if (pathOf(word(b)) !== path) expect(flip(b.lines, b.base, word(b), path)).toBe(true);
    answers.send(question(ENDS.IPv4!).bytes, by);
    const back = await until(
      () => answers.take(by).filter((f) => f[34] === SBFD_PORT >> 8 && f[35] === (SBFD_PORT & 255)),
      (got) => got.length > 0,
    );
    expect(back).toHaveLength(1);
    expect(read(back[0]!)).toMatchObject({ to: hexOf(parseMac(ASKER)), sums: [0, 0] });
  }
  expect(b.datapath.reflected).toMatchObject({ answered: 2 });
});

test('belongs to its VLAN, and keeps it', async () => {
  const s = await scene({ vlan: 42 });
  s.answers.send(question(ENDS.IPv4!).bytes);
  s.answers.send(question({ ...ENDS.IPv4!, vlan: 43 }).bytes);
  await quietFor(50);
  expect([s.datapath.reflected.answered, s.refused()]).toEqual([0, {}]);
  s.answers.send(question({ ...ENDS.IPv4!, vlan: 42 }).bytes);
  await until(
    () => s.datapath.reflected.answered,
    (n) => n === 1,
  );
});

test('a sum that is not there stays away', async () => {
  const s = await scene();
  const f = question(ENDS.IPv4!);
  f.view.setUint16(40, 0);
  s.answers.send(f.bytes);
  const answer = await s.answers.one('vf');
  expect([answer[40], answer[41]]).toEqual([0, 0]);
});

test('without a reflector the port is the stack’s', async () => {
  const s = await scene();
  s.datapath.reflect(undefined);
  s.answers.send(question(ENDS.IPv4!).bytes);
  await quietFor(50);
  s.answers.none();
  expect(s.datapath.reflected.answered).toBe(0);
});
