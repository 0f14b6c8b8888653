import { PacketSocket } from 'bpf-loader-ts/sys';
import type { DetectConfig } from '../config/index.js';
import type { Surroundings } from '../detect/detector.js';
import { findFor } from '../detect/host.js';
import { configured } from '../detect/section.js';
import type { Supply } from '../detect/supply.js';
import type { DetectorName } from '../detect/table.js';
import { ROLES } from '../device.js';
import { VfError } from '../errors.js';
import { parseMac } from '../frames/mac.js';
import type { FailoverInstance } from '../registry/instance.js';
import type { Shards } from '../shard/host.js';
import type { Namespace } from './namespace.js';

/** While something is about to be found it is looked for after so many ms, four times as many each time; then whenever everything is. */
const SOON_MS = [20, 80, 320, 1280];

/**
 * Keeps an instance's worker supplied with what its detectors need of the outside: sockets on the slaves, the master's MAC, and what their
 * host halves find.
 */
export class DetectorSupplier {
  readonly #ns: Namespace;
  readonly #slot: number;
  readonly #detect: DetectConfig;
  readonly #shards: Shards;
  /** What the detectors together need. */
  readonly #needs: ReadonlySet<'mac' | 'sockets'>;
  /** Of [primary, standby]. */
  readonly #sockets: ({ ifindex: number; socket: PacketSocket } | undefined)[] = [undefined, undefined];
  #sent = '';
  #closed = false;
  #looks = 0;
  #soon: NodeJS.Timeout | undefined;
  /** What host halves found last, for `status`. */
  plans: Partial<Record<DetectorName, unknown>> = {};

  constructor(ns: Namespace, slot: number, detect: DetectConfig, shards: Shards) {
    this.#ns = ns;
    this.#slot = slot;
    this.#detect = detect;
    this.#shards = shards;
    this.#needs = new Set(configured(detect).flatMap(({ row }) => row.supplied ?? []));
  }

  /** Looks at devices and addresses as they are now, and tells the worker if anything is new. Throws what the kernel refuses: the next call tries again. */
  refresh(instance: FailoverInstance): void {
    if (this.#closed || this.#needs.size === 0) return;
    const master = this.#ns.rtnl.link(instance.master.ifindex);
    if (!master?.address) return;
    const replaced: PacketSocket[] = [];
    const discoveries = Object.entries(findFor(this.#detect, this.#around(master.ifindex)));
    this.plans = Object.fromEntries(discoveries.map(([name, d]) => [name, d.plan]));
    this.#lookSoon(
      instance,
      discoveries.some(([, d]) => d.pending),
    );
    const supply: Supply = {
      mac: parseMac(master.address, 'master'),
      fds: this.#needs.has('sockets') ? this.#open(instance, replaced) : [-1, -1],
      found: Object.fromEntries(discoveries.map(([name, d]) => [name, d.found])),
    };
    const say = JSON.stringify(supply);
    if (say !== this.#sent) {
      this.#sent = say;
      this.#shards.supply(this.#slot, supply);
    }
    if (replaced.length > 0) this.#closeLater(replaced);
  }

  /** What host halves may ask. Addresses are read at most once. */
  #around(masterIfindex: number): Surroundings {
    const { rtnl, monitor } = this.#ns;
    let addresses: readonly string[] | undefined;
    return {
      masterIfindex,
      get addresses() {
        addresses ??= rtnl.addresses().map((a) => a.address);
        return addresses;
      },
      device: (ifindex) => monitor.links.get(ifindex),
      devices: () => monitor.links.values(),
      route: (ip) => rtnl.route(ip),
      neighbour: (ifindex, ip) => rtnl.neighbour(ifindex, ip),
      resolve: (ifindex, ip) => rtnl.resolve(ifindex, ip),
    };
  }

  #lookSoon(instance: FailoverInstance, pending: boolean): void {
    clearTimeout(this.#soon);
    const ms = pending ? SOON_MS[this.#looks++] : undefined;
    if (!pending) this.#looks = 0;
    if (ms !== undefined) this.#soon = setTimeout(() => this.#again(instance), ms).unref();
  }

  #again(instance: FailoverInstance): void {
    try {
      this.refresh(instance);
    } catch {
      // Whoever looks next, and that is in seconds, says so.
    }
  }

  #open(instance: FailoverInstance, replaced: PacketSocket[]): [number, number] {
    const [primary, standby] = ROLES.map((role, path) => {
      const { state, device } = instance.slave(role);
      return this.#socket(path, state === 'joined' ? device?.ifindex : undefined, replaced);
    });
    return [primary!, standby!];
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
