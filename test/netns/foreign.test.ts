import { PacketSocket } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { flip } from '../../src/datapath/line.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { parseMac } from '../../src/frames/mac.js';
import { type Bench, inProcess, word } from '../helpers/in-process.js';
import { quietFor } from '../helpers/wait.js';

/** Frames from MACs that a VF does not let in leave by the standby; all others as ever. */

const OTHER = '02:00:00:00:00:99';
const ETH_P = 0x88b5;

function frame(src: string, fill: number): Uint8Array {
  const f = new Uint8Array(80).fill(fill);
  // The host's bridge itself: nothing is flooded to its other port.
  f.set([2, 0x76, 0x66, 0, 0, 0xfe], 0);
  f.set(parseMac(src), 6);
  f.set([ETH_P >> 8, ETH_P & 0xff], 12);
  return f;
}

function ear(b: Bench, ifindex: number): () => number[] {
  const socket = new PacketSocket({ netns: b.world.host, ifindex });
  onTestFinished(() => socket.close());
  const buffer = new Uint8Array(2048);
  return () => {
    const fills: number[] = [];
    while (socket.recv(buffer) > 0)
      if (buffer[12] === ETH_P >> 8 && buffer[13] === (ETH_P & 0xff)) fills.push(buffer[20]!);
    return fills;
  };
}

describe.each(['transparent', 'net-failover'] as const)('%s', (model) => {
  test('a frame from another MAC leaves by the standby while it is asked for, and where the standby can send', async () => {
    const b = await inProcess('veth', undefined, {}, model);
    const { world, datapath } = b;
    const master = model === 'transparent' ? 'virtio0' : 'master0';
    const ears = { primary: ear(b, world.vf.hostIfindex), standby: ear(b, world.virtio.hostIfindex) };
    const out = new PacketSocket({
      netns: world.guest,
      ifindex: world.guestRtnl.link(master)!.ifindex,
      protocol: 0,
    });
    onTestFinished(() => out.close());
    // The stand-in for the kernel's failover master sends nothing to the primary by itself.
    const ownWay = model === 'transparent' ? [1] : [];
    const sent = async (): Promise<{ primary: number[]; standby: number[] }> => {
      out.send(frame(GUEST_MAC, 1));
      out.send(frame(OTHER, 2));
      await quietFor(30);
      return { primary: ears.primary(), standby: ears.standby() };
    };
    flip(b.lines, b.base, word(b), PRIMARY);
    expect((await sent()).standby, 'nothing is asked for').toEqual([]);
    datapath.foreignByStandby(GUEST_MAC);
    expect(await sent()).toEqual({ primary: ownWay, standby: [2] });
    flip(b.lines, b.base, word(b), STANDBY);
    expect(await sent()).toEqual({ primary: [], standby: [1, 2] });
    flip(b.lines, b.base, word(b), PRIMARY);
    datapath.foreignByStandby(undefined);
    expect((await sent()).standby).toEqual([]);
  });
});
