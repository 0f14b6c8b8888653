import { closeFd, EventFd, netnsCreate, PacketSocket, UdpSocket, withNetns } from 'bpf-loader-ts/sys';
import { Piscina } from 'piscina';
import { Rtnl } from '../../src/netlink/index.js';
import { workerFile } from '../../src/paths.js';
import {
  HEAD_MAX,
  STREAM_PORT,
  TO_GUEST,
  TRAFFIC,
  TRAFFIC_WORDS,
  type TrafficTask,
  WIRES,
} from '../../workers/traffic.js';
import { HOST_MAC, type HostSwitch, KernelBridge } from './host-switch.js';
import { type StreamKind, streamEnds, streamHead } from './stream-kinds.js';
import { Wire, type WireKind } from './wire.js';

export const GUEST_ADDRESS = '10.99.0.2';
export const HOST_ADDRESS = '10.99.0.1';
/** Frames of the longest stream, each way. */
export const STREAM_MAX = 1 << 20;
export const GUEST_MAC = '02:76:66:00:00:01';

/**
 * A VM and its host in two namespaces: in the guest `virtio0` (with the address) and `vf0`, both with one MAC; in the host a learning
 * switch with a port for each: the kernel's bridge, or what `behind` makes. The namespaces are anonymous: they end with this process, whatever ends it.
 */
export class World {
  readonly kind: WireKind;
  readonly guest = netnsCreate();
  readonly host = netnsCreate();
  readonly guestRtnl = new Rtnl({ netns: this.guest });
  readonly hostRtnl = new Rtnl({ netns: this.host });
  readonly vf: Wire;
  readonly virtio: Wire;
  readonly hostSwitch: HostSwitch;
  /** ifindex of the host's own port. */
  readonly bridge: number;
  readonly control = new Int32Array(new SharedArrayBuffer(4 * TRAFFIC_WORDS));
  /** Send times of the running stream, by sequence number. */
  readonly sentAt = new Float64Array(new SharedArrayBuffer(8 * STREAM_MAX));
  /** Heads of streams of whole frames: the guest's, then the host's. */
  readonly #heads = new Uint8Array(new SharedArrayBuffer(2 * HEAD_MAX));
  readonly #sockets: (UdpSocket | PacketSocket)[] = [];
  #wake: EventFd | undefined;
  #pool: Piscina | undefined;
  #traffic: Promise<void> | undefined;

  /** `mac` and `address` of the guest, for a world beside another. */
  constructor(
    kind: WireKind,
    { mac, address } = { mac: GUEST_MAC, address: GUEST_ADDRESS },
    behind: (host: { netns: number; rtnl: Rtnl }) => HostSwitch = ({ rtnl }) => new KernelBridge(rtnl),
  ) {
    this.kind = kind;
    const wire = (guest: string, host: string) =>
      new Wire({
        kind,
        guest: { netns: this.guest, rtnl: this.guestRtnl, name: guest, mac },
        host: { netns: this.host, rtnl: this.hostRtnl, name: host },
      });
    this.hostSwitch = behind({ netns: this.host, rtnl: this.hostRtnl });
    this.bridge = this.hostSwitch.ifindex;
    this.virtio = wire('virtio0', 'port-virtio');
    this.vf = wire('vf0', 'port-vf');
    for (const w of [this.virtio, this.vf]) this.hostSwitch.join(w.hostIfindex, w.hostName);
    this.hostRtnl.setLink(this.bridge, { up: true });
    this.guestRtnl.setLink(this.virtio.guestIfindex, { addrGenMode: 1 });
    this.guestRtnl.setLink(this.virtio.guestIfindex, { up: true });
    this.hostRtnl.addAddress(this.bridge, `${HOST_ADDRESS}/24`);
    this.guestRtnl.addAddress(this.virtio.guestIfindex, `${address}/24`);
    // Known neighbours: address resolution is not what is measured.
    this.hostRtnl.addNeighbour(this.bridge, address, mac);
    this.guestRtnl.addNeighbour(
      this.virtio.guestIfindex,
      HOST_ADDRESS,
      this.hostRtnl.link(this.bridge)!.address,
    );
  }

  /** Path of the guest's namespace for another process. */
  get guestPath(): string {
    return `/proc/${process.pid}/fd/${this.guest}`;
  }

  /** Starts the thread that sends streams and is the cable of wires made of taps. */
  startTraffic(cpu: number | null): void {
    const guestSocket = withNetns(
      this.guest,
      () => new UdpSocket({ connectAddr: HOST_ADDRESS, connectPort: STREAM_PORT }),
    );
    const hostSocket = withNetns(
      this.host,
      () => new UdpSocket({ connectAddr: GUEST_ADDRESS, connectPort: STREAM_PORT }),
    );
    // They send alone.
    const packets = (netns: number, ifindex: number) => new PacketSocket({ netns, ifindex, protocol: 0 });
    const guestPackets = packets(this.guest, this.virtio.guestIfindex);
    const hostPackets = packets(this.host, this.bridge);
    this.#sockets.push(guestSocket, hostSocket, guestPackets, hostPackets);
    this.control[TRAFFIC.guest_packets] = guestPackets.fd;
    this.control[TRAFFIC.host_packets] = hostPackets.fd;
    this.#wake = new EventFd();
    this.#pool ??= new Piscina({
      filename: workerFile('traffic'),
      minThreads: 1,
      maxThreads: 1,
      atomics: 'disabled',
    });
    this.control[TRAFFIC.stop] = 0;
    this.#tellTaps();
    const task: TrafficTask = {
      control: this.control.buffer as SharedArrayBuffer,
      sentAt: this.sentAt.buffer as SharedArrayBuffer,
      guestSocket: guestSocket.fd,
      hostSocket: hostSocket.fd,
      heads: this.#heads.buffer as SharedArrayBuffer,
      wakeFd: this.#wake.fd,
      cpu,
    };
    this.#traffic = this.#pool.run(task);
    this.#traffic.catch(() => {});
  }

  /** The next stream's frames are of this kind: datagrams of sockets (`ipv4`), or whole frames, which need no address and no VLAN device. */
  sendAs(kind: StreamKind, stream: number): void {
    const ends = streamEnds(kind, GUEST_MAC, HOST_MAC);
    const none = Buffer.alloc(0);
    const [out, inn] =
      kind === 'ipv4' ? [none, none] : [streamHead(ends.out, stream), streamHead(ends.in, stream + TO_GUEST)];
    this.#heads.set(out, 0);
    this.#heads.set(inn, HEAD_MAX);
    this.control[TRAFFIC.guest_head] = out.length;
    this.control[TRAFFIC.host_head] = inn.length;
  }

  wakeTraffic(): void {
    this.#wake?.signal();
  }

  async stopTraffic(): Promise<void> {
    Atomics.store(this.control, TRAFFIC.stop, 1);
    this.wakeTraffic();
    await this.#traffic;
    for (const s of this.#sockets.splice(0)) s.close();
    this.#wake?.close();
    this.#wake = undefined;
  }

  #tellTaps(): void {
    [this.vf, this.virtio].slice(0, WIRES).forEach((w, i) => {
      Atomics.store(this.control, TRAFFIC.taps + 2 * i, w.guestTap?.fd ?? -1);
      Atomics.store(this.control, TRAFFIC.taps + 2 * i + 1, w.hostTap?.fd ?? -1);
    });
    this.wakeTraffic();
  }

  /** Cuts the VF's wire and takes its carrier. */
  cutVf(): void {
    if (this.kind === 'tap') Atomics.or(this.control, TRAFFIC.cut, 1);
    this.vf.carrier(false);
  }

  mendVf(): void {
    if (this.kind === 'tap') Atomics.and(this.control, TRAFFIC.cut, ~1);
    this.vf.carrier(true);
  }

  /** Pulls the VF out of the guest: its device is closed, then unregistered, as by device_del. */
  unplugVf(): void {
    this.guestRtnl.deleteLink(this.vf.guestIfindex);
    if (this.kind === 'veth') return;
    // The thread that was the cable must let go of the descriptor before it is closed.
    Atomics.store(this.control, TRAFFIC.taps, -1);
    this.wakeTraffic();
    const seen = Atomics.load(this.control, TRAFFIC.turns);
    while (this.#traffic && ((Atomics.load(this.control, TRAFFIC.turns) - seen) | 0) < 2);
    this.vf.dropGuestTap();
  }

  /** Plugs a VF in again: a new device, down, with the guest's MAC. */
  replugVf(): void {
    this.vf.plug();
    this.hostSwitch.join(this.vf.hostIfindex, this.vf.hostName);
    this.#tellTaps();
  }

  async close(): Promise<void> {
    if (this.#traffic) await this.stopTraffic();
    await this.#pool?.destroy();
    this.vf.close();
    this.virtio.close();
    await this.hostSwitch.close();
    this.guestRtnl.close();
    this.hostRtnl.close();
    closeFd(this.guest);
    closeFd(this.host);
  }
}
