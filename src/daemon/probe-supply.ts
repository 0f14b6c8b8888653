import { PacketSocket } from 'bpf-loader-ts/sys';
import { isCurrent } from '../announce/index.js';
import type { DetectConfig } from '../config/index.js';
import { VfError } from '../errors.js';
import { ROLES } from '../failover/device.js';
import type { FailoverInstance } from '../failover/instance.js';
import { parseMac } from '../netlink/codec.js';
import type { Namespace } from './namespace.js';
import { type ProbePlan, planProbes } from './probe-plan.js';
import type { Shards } from './shards.js';

/**
 * Keeps an instance's worker supplied with what its probes need of the outside: sockets on the slaves, the master's MAC and addresses, the
 * ways to the targets.
 */
export class ProbeSupplier {
  readonly #ns: Namespace;
  readonly #slot: number;
  readonly #detect: DetectConfig;
  readonly #shards: Shards;
  /** Of [primary, standby]. */
  readonly #sockets: ({ ifindex: number; socket: PacketSocket } | undefined)[] = [undefined, undefined];
  #sent = '';
  #closed = false;
  plan: ProbePlan = { asks: [], names: [], refused: [] };

  constructor(ns: Namespace, slot: number, detect: DetectConfig, shards: Shards) {
    this.#ns = ns;
    this.#slot = slot;
    this.#detect = detect;
    this.#shards = shards;
  }

  /** Looks at devices and addresses as they are now, and tells the worker if anything is new. Never throws: the next call tries again. */
  refresh(instance: FailoverInstance): void {
    const { probes, witness } = this.#detect;
    if (this.#closed || (probes === undefined && witness === undefined)) return;
    const master = this.#ns.rtnl.link(instance.master.ifindex);
    if (!master?.address) return;
    const fds: [number, number] = [-1, -1];
    const replaced: PacketSocket[] = [];
    if (probes !== undefined) {
      this.plan = planProbes(probes.targets, {
        masterIfindex: master.ifindex,
        addresses: this.#ns.rtnl.addresses().map((a) => a.address),
        route: (ip) => this.#ns.rtnl.route(ip),
      });
      ROLES.forEach((role, path) => {
        const { state, device } = instance.slave(role);
        fds[path] = this.#socket(path, state === 'joined' ? device?.ifindex : undefined, replaced);
      });
    }
    const supply = { mac: parseMac(master.address, 'master'), fds, asks: this.plan.asks };
    const say = JSON.stringify(supply);
    if (say !== this.#sent) {
      this.#sent = say;
      this.#shards.probes(this.#slot, supply);
    }
    if (replaced.length > 0) this.#closeLater(replaced);
  }

  #socket(path: number, ifindex: number | undefined, replaced: PacketSocket[]): number {
    const known = this.#sockets[path];
    if (known !== undefined && known.ifindex === ifindex) return known.socket.fd;
    if (known !== undefined) replaced.push(known.socket);
    this.#sockets[path] = undefined;
    if (ifindex === undefined) return -1;
    const netns = isCurrent(this.#ns.fd) ? {} : { netns: this.#ns.fd };
    try {
      const socket = new PacketSocket({ ...netns, ifindex, protocol: 0, bypass: true });
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
    const rest = this.#sockets.flatMap((s) => (s === undefined ? [] : [s.socket]));
    this.#sockets.fill(undefined);
    if (rest.length > 0) this.#closeLater(rest);
  }
}
