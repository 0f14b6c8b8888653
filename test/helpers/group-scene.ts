import { PacketSocket } from 'bpf-loader-ts/sys';
import { onTestFinished } from 'vitest';
import { flip } from '../../src/datapath/line.js';
import type { ProgramVariables } from '../../src/datapath/program-loader.js';
import { PRIMARY } from '../../src/device.js';
import { parseMac } from '../../src/frames/mac.js';
import type { SteeredName } from '../../src/models/table.js';
import { type Bench, inProcess, word } from './in-process.js';
import { quietFor } from './wait.js';

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const STATION = '02:00:00:00:00:99';
/** Longer than copies of one frame may lie apart (bpf/group.bpf.h), ms. */
export const WINDOW_MS = 140;
export const EXPERIMENTAL = 0x88b5;
const PROTOCOLS = [EXPERIMENTAL, 0x0800, 0x0806];

/** A network that brings any frame by any slave: sockets on the far ends of both wires. The primary is active. */
export interface GroupScene {
  b: Bench;
  /** Bring a frame by this slave. */
  primary: PacketSocket;
  standby: PacketSocket;
  /** Sends a frame as the master. */
  master: PacketSocket;
  /** Takes what has come out of the sockets, which hold 200 small frames. */
  drain(): void;
  /** What the master's stack has received since the last call, in any order between protocols. */
  received(): Promise<Uint8Array[]>;
}

export async function groupScene(
  variables: ProgramVariables = {},
  model: SteeredName = 'transparent',
): Promise<GroupScene> {
  const b = await inProcess('veth', undefined, variables, model);
  const { world, datapath } = b;
  const socket = (netns: number, ifindex: number, protocol = 0): PacketSocket => {
    const s = new PacketSocket({ netns, ifindex, protocol });
    onTestFinished(() => s.close());
    return s;
  };
  const master = datapath.identity.masterIfindex;
  for (const wire of [world.vf, world.virtio]) {
    world.guestRtnl.setLink(wire.guestIfindex, { mtu: 9200 });
    world.hostRtnl.setLink(wire.hostIfindex, { mtu: 9200 });
  }
  world.guestRtnl.setLink(world.virtio.guestIfindex, { up: true });
  flip(b.lines, b.base, word(b), PRIMARY);
  // One protocol each: a socket for all of them taps a device before its ingress programs run, and sees what they drop.
  // The stand-in for the kernel's master has no rx handler: what accept lets through stays on the primary.
  const stacks = model === 'transparent' ? [master] : [master, world.vf.guestIfindex];
  const taps = stacks.flatMap((at) => PROTOCOLS.map((protocol) => socket(world.guest, at, protocol)));
  const buffer = new Uint8Array(10_000);
  const frames: Uint8Array[] = [];
  const drain = (): void => {
    for (const tap of taps)
      for (let n = tap.recv(buffer); n > 0; n = tap.recv(buffer)) frames.push(buffer.slice(0, n));
  };
  return {
    b,
    primary: socket(world.host, world.vf.hostIfindex),
    standby: socket(world.host, world.virtio.hostIfindex),
    master: socket(world.guest, master),
    drain,
    async received() {
      // Not longer: what belongs together has to come within the window.
      await quietFor(20);
      drain();
      return frames.splice(0);
    },
  };
}

/** A group frame of `length` bytes, full of `fill`. */
export function groupFrame(
  fill: number,
  { length = 80, dst = BROADCAST, src = STATION, vlan }: FrameOptions = {},
): Uint8Array {
  const tag = vlan === undefined ? [] : [0x81, 0x00, vlan >> 8, vlan & 0xff];
  const head = [...parseMac(dst), ...parseMac(src), ...tag, EXPERIMENTAL >> 8, EXPERIMENTAL & 0xff];
  const f = new Uint8Array(length + tag.length).fill(fill);
  f.set(head);
  return f;
}

export interface FrameOptions {
  length?: number;
  dst?: string;
  src?: string;
  /** Tag control: priority in the upper 3 bits, id in the lower 12. */
  vlan?: number;
}

/** An IPv4 UDP datagram to a group, with `payload` bytes and any checksum, padded to `length`. */
export function groupDatagram(payload: number, checksum: number, length = 0, padding = 0): Uint8Array {
  const total = 28 + payload;
  const f = new Uint8Array(Math.max(14 + total, length)).fill(padding);
  f.set([...parseMac('01:00:5e:01:02:03'), ...parseMac(STATION), 0x08, 0x00]);
  f.set([0x45, 0, total >> 8, total & 0xff, 0, 1, 0, 0, 1, 17, 0, 0, 10, 99, 0, 9, 239, 1, 2, 3], 14);
  f.set([0x10, 0, 0x20, 0, 0, 8 + payload, checksum >> 8, checksum & 0xff], 34);
  f.fill(0x5a, 42, 42 + payload);
  return f;
}
