import { readFileSync } from 'node:fs';
import { withNetns } from 'bpf-loader-ts/sys';
import { type DeviceAddress, Rtnl } from '../netlink/index.js';
import { type Groups, parseGroups } from './groups.js';
import type { Forwarding } from './stations.js';

/**
 * The addresses, multicast groups and forwarding tables of a namespace's devices. The kernel tells those of all devices or none, so that the masters of a
 * namespace share one reader: what it has read stands for the rest of the turn of the event loop, in which hundreds of them may switch.
 */
export class AddressReader implements Disposable {
  readonly #netns: number;
  #rtnl: Rtnl | undefined;
  #addresses: readonly DeviceAddress[] | undefined;
  #groups: ReadonlyMap<number, Groups> | undefined;
  #forwarding: Forwarding | undefined;
  #forgets = false;

  /** Opens nothing yet. `netns` stays the caller's and must outlive the reader. */
  constructor(netns: number) {
    this.#netns = netns;
  }

  /** Throws VfError if the kernel does not tell. */
  addresses(): readonly DeviceAddress[] {
    this.#addresses ??= this.#forgetting(this.#open().addresses());
    return this.#addresses;
  }

  groups(): ReadonlyMap<number, Groups> {
    if (this.#groups !== undefined) return this.#groups;
    const read = (): ReadonlyMap<number, Groups> =>
      parseGroups(readProc('/proc/thread-self/net/igmp'), readProc('/proc/thread-self/net/igmp6'));
    this.#groups = this.#forgetting(withNetns(this.#netns, read));
    return this.#groups;
  }

  /** The forwarding tables of all devices and bridges. VLANs of ports are read where a bridge filters by VLAN. */
  forwarding(): Forwarding {
    if (this.#forwarding !== undefined) return this.#forwarding;
    const rtnl = this.#open();
    const entries = rtnl.forwarding();
    const filters = entries.some((e) => e.vlan !== undefined && !e.permanent);
    this.#forwarding = this.#forgetting({ entries, untagged: filters ? rtnl.untaggedVlans() : new Map() });
    return this.#forwarding;
  }

  /** Devices, for who has no list of them. */
  devices(): ReturnType<Rtnl['links']> {
    return this.#open().links();
  }

  /** What has been read stands no longer. */
  forget(): void {
    this.#addresses = undefined;
    this.#groups = undefined;
    this.#forwarding = undefined;
  }

  /** After an error: a socket that failed once may be stuck, and the next reading gets a new one. Further use opens it again. */
  close(): void {
    this.#rtnl?.close();
    this.#rtnl = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): Rtnl {
    this.#rtnl ??= new Rtnl({ netns: this.#netns });
    return this.#rtnl;
  }

  #forgetting<T>(read: T): T {
    if (!this.#forgets)
      setImmediate(() => {
        this.#forgets = false;
        this.forget();
      }).unref();
    this.#forgets = true;
    return read;
  }
}

/** Empty where the kernel has no such protocol. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
