import { PacketSocket } from 'bpf-loader-ts/sys';
import type { BfdConfig, DetectConfig } from '../config/index.js';
import { type BfdPeer, findPeer } from '../detect/bfd/peer.js';
import { type ProbePlan, planProbes } from '../detect/probe/plan.js';
import { ROLES } from '../device.js';
import { VfError } from '../errors.js';
import { parseMac } from '../frames/mac.js';
import type { FailoverInstance } from '../registry/instance.js';
import type { Shards } from '../shard/host.js';
import type { Namespace } from './namespace.js';

/** Until a BFD peer's MAC is known it is looked for after so many ms, four times as many each time; then whenever everything is. */
const SOON_MS = [20, 80, 320, 1280];

/**
 * Keeps an instance's worker supplied with what its detectors need of the outside: sockets on the slaves, the master's MAC and addresses, the
 * ways to the probes' targets, the BFD peer's MAC.
 */
export class DetectorSupplier {
  readonly #ns: Namespace;
  readonly #slot: number;
  readonly #detect: DetectConfig;
  readonly #shards: Shards;
  /** Of [primary, standby]. */
  readonly #sockets: ({ ifindex: number; socket: PacketSocket } | undefined)[] = [undefined, undefined];
  #sent = '';
  #closed = false;
  #looks = 0;
  #soon: NodeJS.Timeout | undefined;
  plan: ProbePlan = { asks: [], names: [], refused: [] };
  /** undefined: its MAC is configured, or there is none. */
  peer: BfdPeer | undefined;

  constructor(ns: Namespace, slot: number, detect: DetectConfig, shards: Shards) {
    this.#ns = ns;
    this.#slot = slot;
    this.#detect = detect;
    this.#shards = shards;
  }

  /** Looks at devices and addresses as they are now, and tells the worker if anything is new. Throws what the kernel refuses: the next call tries again. */
  refresh(instance: FailoverInstance): void {
    const { probes, witness, bfd } = this.#detect;
    if (this.#closed || (probes ?? witness ?? bfd) === undefined) return;
    const master = this.#ns.rtnl.link(instance.master.ifindex);
    if (!master?.address) return;
    const fds: [number, number] = [-1, -1];
    const replaced: PacketSocket[] = [];
    if (probes !== undefined) {
      this.plan = planProbes(probes.targets, {
        masterIfindex: master.ifindex,
        addresses: this.#ns.rtnl.addresses().map((a) => a.address),
        device: (ifindex) => this.#ns.monitor.links.get(ifindex),
        route: (ip) => this.#ns.rtnl.route(ip),
      });
    }
    if ((probes ?? bfd) !== undefined)
      ROLES.forEach((role, path) => {
        const { state, device } = instance.slave(role);
        fds[path] = this.#socket(path, state === 'joined' ? device?.ifindex : undefined, replaced);
      });
    if (bfd !== undefined && bfd.peer_mac === undefined) this.#seek(bfd, instance);
    const { mac: peerMac = null } = this.peer ?? {};
    const supply = { mac: parseMac(master.address, 'master'), fds, asks: this.plan.asks, peerMac };
    const say = JSON.stringify(supply);
    if (say !== this.#sent) {
      this.#sent = say;
      this.#shards.supply(this.#slot, supply);
    }
    if (replaced.length > 0) this.#closeLater(replaced);
  }

  #seek(bfd: BfdConfig, instance: FailoverInstance): void {
    const { rtnl, monitor } = this.#ns;
    this.peer = findPeer(bfd, {
      masterIfindex: instance.master.ifindex,
      device: (ifindex) => monitor.links.get(ifindex),
      devices: () => monitor.links.values(),
      route: (ip) => rtnl.route(ip),
      neighbour: (ifindex, ip) => rtnl.neighbour(ifindex, ip),
      resolve: (ifindex, ip) => rtnl.resolve(ifindex, ip),
    });
    clearTimeout(this.#soon);
    const ms = this.peer.pending ? SOON_MS[this.#looks++] : undefined;
    if (!this.peer.pending) this.#looks = 0;
    if (ms !== undefined) this.#soon = setTimeout(() => this.#again(instance), ms).unref();
  }

  #again(instance: FailoverInstance): void {
    try {
      this.refresh(instance);
    } catch {
      // Whoever looks next, and that is in seconds, says so.
    }
  }

  #socket(path: number, ifindex: number | undefined, replaced: PacketSocket[]): number {
    const known = this.#sockets[path];
    if (known !== undefined && known.ifindex === ifindex) return known.socket.fd;
    if (known !== undefined) replaced.push(known.socket);
    this.#sockets[path] = undefined;
    if (ifindex === undefined) return -1;
    try {
      const socket = new PacketSocket({ netns: this.#ns.fd, ifindex, protocol: 0, bypass: true });
      this.#sockets[path] = { ifindex, socket };
      return socket.fd;
    } catch (e) {
      // Gone already: its removal is on its way to us.
      if ((e as NodeJS.ErrnoException).code === 'ENODEV' || e instanceof VfError) return -1;
      throw e;
    }
  }

  /** The worker may be sending by them until it has taken in that there are others. */
  #closeLater(sockets: readonly PacketSocket[]): void {
    const close = () => {
      for (const s of sockets) s.close();
    };
    this.#shards.settled().then(close, close);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#soon);
    const rest = this.#sockets.flatMap((s) => (s === undefined ? [] : [s.socket]));
    this.#sockets.fill(undefined);
    if (rest.length > 0) this.#closeLater(rest);
  }
}
