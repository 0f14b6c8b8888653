import { execFileSync } from 'node:child_process';
import type { MappedArray } from 'bpf-loader-ts';
import { closeFd, netnsCreate, PacketSocket, Tap, UdpSocket, withNetns } from 'bpf-loader-ts/sys';
import { type Lab, lab, VfPaths, type VfPathsView } from '../../bpf/lab.bpf.js';
import { VfError } from '../../src/errors.js';
import { Rtnl } from '../../src/netlink/index.js';
import { bpfObject } from '../../src/paths.js';
import { attachLast } from '../netns/attach-last.js';
import type { StreamKind } from '../netns/stream-kinds.js';
import { FRAMES_MAX, STREAM_PORT, WIRE } from './far-end.js';
import type { StationTask } from './station-thread.js';
import { type FarSide, GUEST_ADDRESS, GUEST_MAC, Port, STATION_ADDRESS, STATION_MAC, Wire } from './wire.js';

function namespace(): number {
  if (process.getuid?.() !== 0)
    throw new VfError(
      'CAPABILITY_MISSING',
      'a wire of taps makes a network namespace and loads BPF programs',
      {
        field: 'wire',
        value: 'taps',
        fix: "run as root, or take 'sockets'",
      },
    );
  return netnsCreate();
}

/**
 * The kernel's own: QEMU's devices are taps in a bridge in a namespace of the wire's, the station is that namespace's stack. Programs on
 * the taps (bpf/lab.bpf.c) swallow, lose, count and note paths. The namespace is anonymous: it ends, and all of it, with this process and
 * the QEMUs in it, which end with this process too.
 */
export class TapWire extends Wire {
  readonly ports: Readonly<Record<string, Port>>;
  readonly netns = namespace();
  readonly spawnPrefix = ['nsenter', `--net=/proc/${process.pid}/fd/${this.netns}`];
  readonly sentBy: Uint8Array;
  readonly cameBy: Uint8Array;
  readonly #rtnl = new Rtnl({ netns: this.netns });
  readonly #bridge: number;
  /** By ifindex. */
  readonly #names = new Map<number, string>();
  readonly #paths: MappedArray<VfPathsView>;
  #packets: PacketSocket | undefined;
  /** In the order of their opening. */
  readonly #closers: (() => void)[] = [() => closeFd(this.netns), () => this.#rtnl.close()];

  /** A wire with these ports, whose devices have their names. */
  constructor(...names: string[]) {
    super(names);
    try {
      this.#bridge = this.#station();
      for (const name of names) this.#plug(name);
      const object = lab.load(bpfObject('lab'), {
        maxEntries: { ports: Math.max(...this.#names.keys()) + 1 },
        skip: ['vf_record', 'vf_blackhole'],
      });
      this.#closers.push(() => object.close());
      this.ports = this.#attach(object);
      this.#paths = object.maps.paths.mmap();
      this.#closers.push(() => this.#paths.close());
      const { sent_by, came_by } = VfPaths.offsets;
      const bytes = this.#paths.mapping.uint8();
      this.sentBy = bytes.subarray(sent_by, sent_by + FRAMES_MAX);
      this.cameBy = bytes.subarray(came_by, came_by + FRAMES_MAX);
      const socket = this.#socket();
      this.#closers.push(() => socket.close());
      this.run<StationTask>('station-thread', { socket: socket.fd });
    } catch (e) {
      this.#release();
      throw e;
    }
  }

  /** A tap in the bridge. Persistent, so that it is there before QEMU opens it. */
  #plug(name: string): void {
    withNetns(this.netns, () => execFileSync('ip', ['tuntap', 'add', 'dev', name, 'mode', 'tap']));
    const { ifindex } = this.#rtnl.link(name)!;
    this.#names.set(ifindex, name);
    this.#quiet(ifindex);
    this.#rtnl.setLink(ifindex, { master: this.#bridge });
    this.#rtnl.setLink(ifindex, { up: true });
  }

  #attach(object: Lab): Record<string, Port> {
    const { vf_to_guest, vf_from_guest } = object.programs;
    const ports = object.maps.ports.mmap();
    this.#closers.push(() => ports.close());
    const port = ([ifindex, name]: [number, string], i: number): Port => {
      const words = ports.at(ifindex);
      words.bit = 1 << i;
      this.#closers.push(
        attachLast(vf_to_guest, this.netns, ifindex, 'egress'),
        attachLast(vf_from_guest, this.netns, ifindex, 'ingress'),
      );
      return new Port(name, i, `tap,ifname=${name},script=no,downscript=no`, words);
    };
    return Object.fromEntries([...this.#names].map((entry, i) => [entry[1], port(entry, i)]));
  }

  /** The bridge, which is the station too. */
  #station(): number {
    const bridge = this.#rtnl.createBridge({ name: 'wire', forwardDelay: 0 });
    this.#quiet(bridge);
    this.#rtnl.setLink(bridge, { address: STATION_MAC });
    this.#rtnl.setLink(bridge, { up: true });
    this.#rtnl.addAddress(bridge, `${STATION_ADDRESS}/24`);
    // Known: a black hole must swallow a stream's frames, not have them wait for an address at the station.
    this.#rtnl.addNeighbour(bridge, GUEST_ADDRESS, GUEST_MAC);
    return bridge;
  }

  /** No IPv6 address and so no frame of its own accord. */
  #quiet(ifindex: number): void {
    this.#rtnl.setLink(ifindex, { addrGenMode: 1 });
  }

  #socket(): UdpSocket {
    return new UdpSocket({
      netns: this.netns,
      bindAddr: STATION_ADDRESS,
      bindPort: STREAM_PORT,
      connectAddr: GUEST_ADDRESS,
      connectPort: STREAM_PORT,
    });
  }

  /** ifindex of the station's device in the wire's namespace. */
  get station(): number {
    return this.#bridge;
  }

  get entries(): Map<string, string> {
    const learnt = this.#rtnl.bridgeEntries(this.#bridge);
    return new Map(learnt.map(({ address, ifindex }) => [address, this.#names.get(ifindex)!]));
  }

  farSide(name: string): FarSide {
    const tap = new Tap({ netns: this.netns, name: this.port(name).name });
    return {
      send: (frame) => tap.write(frame),
      receive: (bytes) => tap.read(bytes),
      close: () => tap.close(),
    };
  }

  forget(): void {
    this.#rtnl.flushBridge(this.#bridge);
  }

  override async begin(stream: number, kind: StreamKind = 'ipv4'): Promise<void> {
    // Its own kernel has neither the addresses nor the VLAN of the other kinds.
    const packets =
      stream !== 0 && kind !== 'ipv4'
        ? new PacketSocket({ netns: this.netns, ifindex: this.#bridge })
        : undefined;
    this.control[WIRE.packets] = packets?.fd ?? 0;
    const paths = this.#paths.at(0);
    // The programs note nothing while they are cleared; frames of the last stream may be under way.
    paths.stream = 0;
    if (stream !== 0) {
      this.sentBy.fill(0);
      this.cameBy.fill(0);
      paths.stream = stream;
    }
    await super.begin(stream, kind);
    // Nobody sends by the last one any more.
    this.#packets?.close();
    this.#packets = packets;
  }

  override async close(): Promise<void> {
    await super.close();
    this.#release();
  }

  #release(): void {
    this.#packets?.close();
    for (const close of this.#closers.splice(0).reverse()) close();
  }
}
