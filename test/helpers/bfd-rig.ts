import { BpfMap, RingBuffer } from 'bpf-loader-ts';
import { dupFd, PacketSocket } from 'bpf-loader-ts/sys';
import { expect, onTestFinished } from 'vitest';
import { VfBfdPacket, VfDetector, VfEvent, VfRecord } from '../../bpf/vfailover.bpf.js';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { attachKind } from '../../src/datapath/hooks.js';
import { type BfdEndpoint, BfdFrame } from '../../src/detect/bfd/frame.js';
import { type BfdKey, BfdMap } from '../../src/detect/bfd/map.js';
import { BFD_ECHO_PORT, BFD_PORT, encodeControl } from '../../src/detect/bfd/packet.js';
import { parseIp } from '../../src/frames/address.js';
import { parseMac } from '../../src/frames/mac.js';
import { type Bench, inProcess } from './in-process.js';

/** The programs with a BFD session, and no worker: the test is the worker. */

export const DISCR = 0x81020304;
/** As the peer sends: its local end is our peer. */
export const PEER: Record<string, BfdEndpoint> = Object.fromEntries(
  [
    ['IPv4', '10.99.0.1', '10.99.0.2'],
    ['IPv6', 'fd99::1', 'fd99::2'],
  ].map(([name, local, peer]) => [
    name!,
    {
      localMac: parseMac('02:76:66:00:00:fe'),
      peerMac: parseMac(GUEST_MAC),
      local: parseIp(local!).bytes,
      peer: parseIp(peer!).bytes,
      sourcePort: 49152,
    },
  ]),
);
/** Up, multiplier 3, 10 ms both ways. */
export const UP = [3, 0, 0, 3, 24, 77, DISCR, 10_000, 10_000, 0];

export interface Rig extends Bench {
  map: BfdMap;
  ring: RingBuffer;
  /** Sends from the far end of the VF's wire, or of virtio's. */
  send(frame: Uint8Array, by?: 'vf' | 'virtio'): void;
  /** Payloads that were handed over since the last call. */
  handed(): string[];
  /** Causes of events without and with a flip. */
  events: { cause: number; flipped: boolean }[];
  /** BFD frames that the guest's stack has seen. */
  stack(): number;
}

export function packet(end: BfdEndpoint, words: number[] = UP, length = 24, port = BFD_PORT): BfdFrame {
  const f = new BfdFrame(end, length, port);
  encodeControl(f.view, f.payload, Uint32Array.from(words));
  f.seal();
  return f;
}

export async function rig(end: BfdEndpoint = PEER.IPv4!, more: Partial<BfdKey> = {}): Promise<Rig> {
  const b = await inProcess('veth', attachKind('auto'), { vf_detect: VfDetector.VF_DETECT_BFD });
  // Past the queue: until the kernel has heard of a new carrier it takes nothing in.
  const socket = (netns: number, ifindex: number, protocol: number) => {
    const s = new PacketSocket({ netns, ifindex, protocol, bypass: true });
    onTestFinished(() => s.close());
    return s;
  };
  const far = {
    vf: socket(b.world.host, b.world.vf.hostIfindex, 0),
    virtio: socket(b.world.host, b.world.virtio.hostIfindex, 0),
  };
  const master = socket(b.world.guest, b.world.virtio.guestIfindex, 3);
  const events = BpfMap.fromFd(dupFd(b.store.fds(0).events));
  const ring = new RingBuffer(events);
  onTestFinished(() => {
    ring.close();
    events.close();
  });
  const map = new BfdMap(b.store.bfd);
  map.open(b.datapath.slot, {
    discriminator: DISCR,
    local: end.peer,
    peer: end.local,
    vlan: end.vlan,
    mac: parseMac(GUEST_MAC),
    ...more,
  });
  const out: string[] = [];
  const told: Rig['events'] = [];
  const consume = () =>
    ring.consume((view, at) => {
      const kind = view.getInt32(at + VfEvent.offsets.kind, true);
      if (kind !== VfRecord.VF_RECORD_BFD) {
        const cause = view.getInt32(at + VfEvent.offsets.cause, true);
        told.push({ cause, flipped: kind === VfRecord.VF_RECORD_FLIP });
        return;
      }
      const { bytes, length: field, mac: source } = VfBfdPacket.offsets;
      const n = Math.min(52, view.getUint32(at + field, true));
      const hex = (from: number, size: number) =>
        Array.from({ length: size }, (_, i) =>
          view
            .getUint8(at + from + i)
            .toString(16)
            .padStart(2, '0'),
        ).join('');
      expect(hex(source, 6)).toBe(Buffer.from(end.localMac).toString('hex'));
      out.push(hex(bytes, n));
    });
  return {
    ...b,
    map,
    ring,
    send: (frame, by = 'vf') => expect(far[by].send(frame)).toBe(frame.length),
    handed: () => {
      consume();
      return out.splice(0);
    },
    get events() {
      consume();
      return told;
    },
    stack: () => {
      const buffer = new Uint8Array(2048);
      let n = 0;
      for (let got = master.recv(buffer); got > 0; got = master.recv(buffer)) {
        // Past its own capture a frame from virtio may still be dropped by `accept`: only the redirected ones count here.
        const v6 = buffer[12] === 0x86;
        const port = v6 ? 56 : 36;
        if (
          (buffer[port]! << 8) + buffer[port + 1]! === BFD_PORT ||
          (buffer[port]! << 8) + buffer[port + 1]! === BFD_ECHO_PORT
        )
          n++;
      }
      return n;
    },
  };
}
