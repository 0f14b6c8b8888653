import { PacketSocket } from 'bpf-loader-ts/sys';
import { expect, onTestFinished, test } from 'vitest';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { flip } from '../../src/datapath/line.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { parseMac } from '../../src/frames/mac.js';
import type { SteeredName } from '../../src/models/table.js';
import { type Bench, inProcess, word } from '../helpers/in-process.js';
import { elapse, until } from '../helpers/wait.js';

/** 802.1X: each slave's wire ends at an authenticator of its own. */

const ETH_P_PAE = 0x888e;
/** The PAE group (IEEE 802.1X-2010 11.1.1), which no bridge forwards. */
const GROUP = Uint8Array.of(0x01, 0x80, 0xc2, 0, 0, 3);
const SWITCH = Uint8Array.of(0x02, 0, 0, 0, 0, 0x99);
const OURS = parseMac(GUEST_MAC);
const [EAP, START, KEY] = [0, 1, 3] as const;

let number = 0;
/** A frame that is told from others by its last byte. */
const eapol = (type: number, src: Uint8Array, dst: Uint8Array = GROUP): Uint8Array =>
  Uint8Array.from([...dst, ...src, 0x88, 0x8e, 2, type, 0, 1, ++number & 0xff, ...new Uint8Array(41)]);

interface Place {
  send(frame: Uint8Array): void;
  /** Frames of the other end that have come since the last call. */
  heard(): number[];
}

async function places(
  model: SteeredName,
): Promise<{ b: Bench; master: Place; slave: Place; wires: Place[] }> {
  const b = await inProcess('veth', undefined, {}, model);
  const { world } = b;
  const place = (netns: number, ifindex: number, from: Uint8Array): Place => {
    const socket = new PacketSocket({ netns, ifindex, protocol: ETH_P_PAE });
    onTestFinished(() => socket.close());
    const buffer = new Uint8Array(128);
    return {
      send: (frame) => expect(socket.send(frame)).toBe(frame.length),
      heard: () => {
        const out: number[] = [];
        while (socket.recv(buffer) > 0) if (from.every((x, i) => buffer[6 + i] === x)) out.push(buffer[18]!);
        return out;
      },
    };
  };
  const master =
    model === 'transparent' ? world.virtio.guestIfindex : world.guestRtnl.link('master0')!.ifindex;
  return {
    b,
    master: place(world.guest, master, SWITCH),
    slave: place(world.guest, world.vf.guestIfindex, SWITCH),
    wires: [world.vf, world.virtio].map((w) => place(world.host, w.hostIfindex, OURS)),
  };
}

const hears = (p: Place, frame: Uint8Array): Promise<number[]> =>
  until(
    () => p.heard(),
    (n) => n.includes(frame[18]!),
  );

test('what the master begins leaves by the active slave', async () => {
  const { b, master, wires } = await places('transparent');
  for (const path of [PRIMARY, STANDBY] as const) {
    flip(b.lines, b.base, word(b), path);
    const start = eapol(START, OURS);
    master.send(start);
    await hears(wires[path]!, start);
    expect(wires[path ^ 1]!.heard()).toEqual([]);
  }
});

test('one supplicant on the master answers each authenticator on its own wire, whatever slave is active', async () => {
  const { b, master, slave, wires } = await places('transparent');
  for (const active of [PRIMARY, STANDBY] as const) {
    flip(b.lines, b.base, word(b), active);
    for (const path of [PRIMARY, STANDBY, PRIMARY])
      for (const [type, dst] of [
        [EAP, GROUP],
        [KEY, GROUP],
        [EAP, OURS],
      ] as const) {
        const asked = eapol(type, SWITCH, dst);
        wires[path]!.send(asked);
        await hears(master, asked);
        const answer = eapol(type, OURS);
        master.send(answer);
        await hears(wires[path]!, answer);
        expect(wires[path ^ 1]!.heard()).toEqual([]);
      }
  }
  expect(slave.heard()).toEqual([]);
});

test('a supplicant on the slave keeps its wire’s conversation, until the master begins one there', async () => {
  const { b, master, slave, wires } = await places('transparent');
  flip(b.lines, b.base, word(b), PRIMARY);
  const start = eapol(START, OURS);
  slave.send(start);
  await hears(wires[PRIMARY]!, start);
  for (const dst of [GROUP, OURS]) {
    const asked = eapol(EAP, SWITCH, dst);
    wires[PRIMARY]!.send(asked);
    await hears(slave, asked);
    expect(master.heard()).toEqual([]);
  }
  // The other wire is the master's all the same.
  const there = eapol(EAP, SWITCH);
  wires[STANDBY]!.send(there);
  await hears(master, there);
  master.send(eapol(START, OURS));
  const now = eapol(EAP, SWITCH);
  await elapse(20);
  wires[PRIMARY]!.send(now);
  await hears(master, now);
  expect(slave.heard()).toEqual([]);
});

test('beside the kernel’s failover the standby’s authenticator is heard and answered', async () => {
  const { b, master, wires } = await places('net-failover');
  flip(b.lines, b.base, word(b), PRIMARY);
  const asked = eapol(EAP, SWITCH);
  wires[STANDBY]!.send(asked);
  await hears(master, asked);
  const answer = eapol(EAP, OURS);
  master.send(answer);
  await hears(wires[STANDBY]!, answer);
  expect(wires[PRIMARY]!.heard()).toEqual([]);
});
