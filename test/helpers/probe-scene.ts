import { BpfMap } from 'bpf-loader-ts';
import { monotonicNs, PacedSender, PacketSocket } from 'bpf-loader-ts/sys';
import { expect, onTestFinished } from 'vitest';
import { VfDetector } from '../../bpf/vfailover.bpf.js';
import { openHole } from '../../lab/netns/hole.js';
import { GUEST_ADDRESS, GUEST_MAC, HOST_ADDRESS } from '../../lab/netns/world.js';
import type { ProbesConfig } from '../../src/config/index.js';
import { flip } from '../../src/datapath/line.js';
import {
  PROBE,
  PROBE_PATH,
  PROBING,
  probeBase,
  probePathBase,
  probingBase,
} from '../../src/datapath/offsets.js';
import type { DetectorContext } from '../../src/detect/detectors.js';
import { ProbeDetector } from '../../src/detect/probe/detector.js';
import { TARGETS_MAX } from '../../src/detect/probe/state.js';
import { DETECT_SLOT_WORDS } from '../../src/detect/record.js';
import type { ProbeAsk } from '../../src/detect/supply.js';
import { PRIMARY } from '../../src/device.js';
import { parseIp } from '../../src/frames/address.js';
import { checksum } from '../../src/frames/checksum.js';
import { icmpv6Checksum } from '../../src/frames/icmp.js';
import { parseMac } from '../../src/frames/mac.js';
import type { SteeredName } from '../../src/models/table.js';
import { type Bench, inProcess, word } from './in-process.js';

export const HOST6 = 'fe80::99';
export const ip = (text: string): Uint8Array => parseIp(text).bytes;
export const mac = parseMac(GUEST_MAC);
export const theirMac = parseMac('02:76:66:00:00:fe');
export const NONE = new Uint8Array(4);
export const ASKS: ProbeAsk[] = [
  { kind: 'arp', address: ip(HOST_ADDRESS), source: NONE, nexthop: NONE, vlan: 0 },
  { kind: 'nd', address: ip(HOST6), source: NONE, nexthop: NONE, vlan: 0 },
  { kind: 'icmp', address: ip(HOST_ADDRESS), source: ip(GUEST_ADDRESS), nexthop: ip(HOST_ADDRESS), vlan: 0 },
];
/** Numbers of the targets. */
export const [ARP, ND, ICMP] = [0, 1, 2] as const;

/** An instance whose probes the test makes wait by hand; nothing that the host answers by itself gets through. */
export class Scene {
  readonly b: Bench;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly #ports: PacketSocket[];

  /** `vlan` is what the targets are asked with. */
  constructor(b: Bench, vlan = 0) {
    this.b = b;
    this.words = b.store.probes.int32();
    this.bytes = new Uint8Array(this.words.buffer, this.words.byteOffset, this.words.byteLength);
    const { world } = b;
    this.#ports = [world.vf.hostIfindex, world.virtio.hostIfindex].map(
      (ifindex) => new PacketSocket({ netns: world.host, ifindex, protocol: 0, bypass: true }),
    );
    for (const ifindex of [world.vf.hostIfindex, world.virtio.hostIfindex]) {
      const hole = openHole({ netns: world.host, ifindex, direction: 'both' });
      onTestFinished(() => hole.close());
    }
    onTestFinished(() => {
      for (const s of this.#ports) s.close();
    });
    const config: ProbesConfig = {
      slaves: ['primary', 'standby'],
      interval_ms: 100,
      missed_max: 1,
      targets_of: 'any',
      validate: 'all',
      inactive: true,
      targets: [],
    };
    const counters = BpfMap.fromPin(`${b.store.root}/maps/counters`);
    const mapping = counters.mmap();
    onTestFinished(() => {
      mapping.close();
      counters.close();
    });
    const pacer = new PacedSender();
    onTestFinished(() => pacer.close());
    const context: DetectorContext = {
      slot: b.datapath.slot,
      config: { combine: 'any', carrier: 'alone' },
      records: new Int32Array(DETECT_SLOT_WORDS * 4),
      lines: b.lines,
      watches: b.store.watches,
      probes: this.words,
      bfd: b.store.bfd,
      counters: mapping.int32(),
      cpus: b.store.cpus,
      pacer,
      clock: Float64Array.of(monotonicNs()),
      due: new Float64Array(1),
      links: Int32Array.of(3, 3),
      mac: new Uint8Array(6),
      deadlineFd: -1,
      bfdAuth: undefined,
      mode: 0,
      dup: (fd) => fd,
    };
    new ProbeDetector(context, config).supply({
      mac,
      fds: [-1, -1],
      asks: ASKS.map((a) => ({ ...a, vlan })),
      peerMac: null,
    });
  }

  at(path: number, target: number): number {
    return probeBase(this.b.datapath.slot, path * TARGETS_MAX + target);
  }

  wait(path: number, target: number, seq: number): void {
    this.words[this.at(path, target) + PROBE.seq] = seq;
  }

  answered(path: number, target: number): number {
    return this.words[this.at(path, target) + PROBE.answered]!;
  }

  refused(path: number): number {
    return this.words[probePathBase(this.b.datapath.slot, path) + PROBE_PATH.refused]!;
  }

  heard(path: number): number {
    return this.words[probePathBase(this.b.datapath.slot, path) + PROBE_PATH.heard]!;
  }

  head(field: number, length: number): Uint8Array {
    const at = 4 * (probingBase(this.b.datapath.slot) + field);
    return this.bytes.slice(at, at + length);
  }

  /** What the wire brings to the slave. */
  send(path: number, frame: Uint8Array): void {
    expect(this.#ports[path]!.send(frame)).toBe(frame.length);
  }

  /** For one protocol a socket is behind the programs, where the stack is. */
  stack(protocol: number, ifindex = this.b.world.virtio.guestIfindex): PacketSocket {
    const s = new PacketSocket({ netns: this.b.world.guest, ifindex, protocol });
    onTestFinished(() => s.close());
    return s;
  }
}

export async function scene(model: SteeredName = 'transparent', vlan = 0): Promise<Scene> {
  const b = await inProcess('veth', undefined, { vf_detect: VfDetector.VF_DETECT_PROBES }, model);
  flip(b.lines, b.base, word(b), PRIMARY);
  return new Scene(b, vlan);
}

export const frame = (type: number[], ...parts: ArrayLike<number>[]): Uint8Array => {
  const bytes = Uint8Array.from([...mac, ...theirMac, ...type, ...parts.flatMap((p) => [...Array.from(p)])]);
  return bytes;
};

export const arpReply = (): Uint8Array =>
  frame([8, 6], [0, 1, 8, 0, 6, 4, 0, 2], theirMac, ip(HOST_ADDRESS), mac, NONE, new Uint8Array(18));

export function advert(
  s: Scene,
  path: number,
  change: (b: Uint8Array) => void = () => {},
  options = true,
): Uint8Array {
  const local = s.head(PROBING.local, 16);
  local[15] = path * TARGETS_MAX + ND;
  const length = options ? 32 : 24;
  const bytes = frame(
    [0x86, 0xdd],
    [0x60, 0, 0, 0, 0, length, 58, 255],
    ip(HOST6),
    local,
    [136, 0, 0, 0, 0x60, 0, 0, 0],
    ip(HOST6),
    options ? [2, 1, ...theirMac] : [],
  );
  change(bytes);
  const sum = icmpv6Checksum(bytes.subarray(22, 38), bytes.subarray(38, 54), bytes.subarray(54));
  new DataView(bytes.buffer).setUint16(56, sum);
  return bytes;
}

export function echoReply(
  s: Scene,
  path: number,
  seq: number,
  change: (b: Uint8Array) => void = () => {},
): Uint8Array {
  const bytes = frame(
    [8, 0],
    [0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 1, 0, 0],
    ip(HOST_ADDRESS),
    ip(GUEST_ADDRESS),
    [0, 0, 0, 0],
    s.head(PROBING.mac, 8).subarray(6),
    [0, seq & 0xff],
    s.head(PROBING.cookie, 8),
    [seq & 0xff, (seq >>> 8) & 0xff, 0, 0, path, ICMP, 0, 0],
    [0, 0],
  );
  change(bytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(24, checksum(bytes, 14, 20));
  view.setUint16(36, checksum(bytes, 34, 24));
  return bytes;
}

/** With an 802.1Q tag. */
export const tagged = (bytes: Uint8Array, vlan: number): Uint8Array =>
  Uint8Array.from([...bytes.subarray(0, 12), 0x81, 0, vlan >> 8, vlan & 0xff, ...bytes.subarray(12)]);
