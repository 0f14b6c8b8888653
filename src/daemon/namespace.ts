import {
  ControlSocket,
  closeFd,
  monotonicNs,
  netnsCookie,
  netnsCurrent,
  netnsInode,
  netnsOpen,
  withNetns,
} from 'bpf-loader-ts/sys';
import { AddressReader, AnnounceWatch } from '../announce/index.js';
import { VfError } from '../errors.js';
import { AddressWatch } from '../netlink/address-watch.js';
import { Ethtool, FilterLists, LinkMonitor, Rtnl, TcMonitor } from '../netlink/index.js';
import { RouteWatch } from '../netlink/route-watch.js';
import { FailoverRegistry } from '../registry/registry.js';

/** One network namespace that instances live in: its devices, watched, and the registry that they are offered to. */
export class Namespace {
  /** As in the configuration that opened it; null is the daemon's own. */
  readonly netns: string | null;
  readonly fd: number;
  readonly inode: number;
  /** Never used again while the machine runs, unlike the inode; 0 before Linux 5.14. */
  readonly cookie: bigint;
  readonly rtnl: Rtnl;
  readonly control: ControlSocket;
  readonly ethtool: Ethtool;
  readonly filters: FilterLists;
  readonly monitor: LinkMonitor;
  readonly addresses: AddressReader;
  readonly addressWatch: AddressWatch;
  readonly tc: TcMonitor;
  readonly routeWatch: RouteWatch;
  readonly registry: FailoverRegistry;
  /** Everything with a descriptor of its own, the latest first. */
  readonly #owned: { close(): void }[] = [];
  #announced: AnnounceWatch | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `netns` as in the configuration: null is the daemon's own. Throws NETNS_NOT_FOUND; nothing is left open then. */
  constructor(netns: string | null, maxInstances: number) {
    this.netns = netns;
    this.fd = open(netns);
    const own = <T extends { close(): void }>(what: T): T => {
      this.#owned.unshift(what);
      return what;
    };
    try {
      this.inode = netnsInode(this.fd);
      this.cookie = netnsCookie(this.fd) ?? 0n;
      this.rtnl = own(new Rtnl({ netns: this.fd }));
      this.control = own(new ControlSocket(this.fd));
      this.ethtool = own(new Ethtool({ netns: this.fd }));
      this.filters = own(new FilterLists({ netns: this.fd }));
      this.monitor = own(new LinkMonitor({ netns: this.fd }));
      this.addresses = own(new AddressReader(this.fd));
      this.addressWatch = own(new AddressWatch(this.fd));
      this.tc = own(new TcMonitor(this.fd));
      this.routeWatch = own(new RouteWatch(this.fd));
    } catch (e) {
      this.close();
      throw e;
    }
    this.registry = new FailoverRegistry({
      now: () => monotonicNs() / 1e6,
      random: Math.random,
      maxInstances,
    });
  }

  /** Begins to feed the registry. Subscribed before the first dump, so nothing falls between. */
  start(): void {
    const fed = (fn: () => void) => () => {
      fn();
      this.#schedule();
    };
    this.monitor.on('added', (d) => fed(() => this.registry.offer(d))());
    this.monitor.on('changed', (d) => fed(() => this.registry.changed(d))());
    this.monitor.on('renamed', (d) => fed(() => this.registry.renamed(d))());
    this.monitor.on('removed', (d) => fed(() => this.registry.removed(d.ifindex))());
    this.monitor.start();
    this.registry.reconcile(this.monitor.links.values());
    this.registry.subscribe(() => this.#schedule());
  }

  /** Calls back when what masters here announce may have changed: within 100 ms, once for many changes. Replaces an earlier callback. */
  watchAnnounced(changed: () => void): void {
    this.#announced?.close();
    this.#announced = new AnnounceWatch(this.fd, this.monitor, changed);
  }

  /** A master here is a port of a bridge: its stations are announced, too. */
  watchBridges(): void {
    this.#announced?.bridges();
  }

  /** Wakes the registry when a refused join is due again. */
  #schedule(): void {
    clearTimeout(this.#timer);
    const at = this.registry.nextRetryAtMs;
    if (at === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.registry.tick(monotonicNs() / 1e6);
        this.#schedule();
      },
      Math.max(1, at - monotonicNs() / 1e6),
    );
  }

  /** Reads what its devices let in. False: the kernel refuses. */
  lookAtFilters(): boolean {
    try {
      this.filters.look();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Has the kernel tell of a lost carrier now. It limits such events to one a second for all devices together (net/core/link_watch.c),
   * and operstate, routes and network managers learn of the loss only then. RTM_GETLINK handles a waiting event first (Linux 6.7; no
   * effect before).
   */
  hastenLink(ifindex: number): void {
    try {
      this.rtnl.link(ifindex);
    } catch {
      // A device, or a namespace, that goes at this moment needs no event.
    }
  }

  /** Runs `fn` with the calling thread in this namespace. */
  enter = <T>(fn: () => T): T => withNetns(this.fd, fn);

  /** Lets go of the namespace: with the last descriptor and socket in it, it ends if nobody else uses it. */
  close(): void {
    clearTimeout(this.#timer);
    this.#announced?.close();
    for (const owned of this.#owned) owned.close();
    closeFd(this.fd);
  }
}

/** The file that names a namespace of the configuration. */
export const netnsPath = (netns: string): string => (netns.startsWith('/') ? netns : `/run/netns/${netns}`);

/** Inode of the namespace that the configuration's word names. Throws NETNS_NOT_FOUND. */
export function inodeOf(netns: string | null): number {
  const fd = open(netns);
  try {
    return netnsInode(fd);
  } finally {
    closeFd(fd);
  }
}

function open(netns: string | null): number {
  if (netns === null) return netnsCurrent();
  const path = netnsPath(netns);
  try {
    return netnsOpen(path);
  } catch (cause) {
    throw new VfError('NETNS_NOT_FOUND', `${path} is no network namespace: ${(cause as Error).message}`, {
      field: 'netns',
      value: netns,
      fix: 'name one of `ip netns list`, or give the path of one',
      cause,
    });
  }
}
