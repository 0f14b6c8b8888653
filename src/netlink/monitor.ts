import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { type FdWatch, NetlinkSocket, watchFd } from 'bpf-loader-ts/sys';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import * as c from './constants.js';
import { parseLink, parseLinkHeader } from './links.js';
import { attributesAfter, type NlMessage, splitMessages } from './message.js';
import { Rtnl } from './rtnl.js';
import { type NetlinkTransport, RECEIVE_BYTES } from './transport.js';

/** Datagrams read in one go, so that a flood of changes leaves the event loop its turns. */
const BATCH = 256;
/** Above so many devices one reading of all is cheaper than one look-up each. */
const LOOK_UP_MAX = 64;
const RETRY_MS = 100;
const DEFAULT_RCVBUF = 1 << 20;

export type ResyncReason = 'overrun' | 'malformed' | 'retry';

/** Devices are snapshots: a later change makes a new object. */
export interface LinkEvents {
  added: [device: Device];
  /** Anything but the name. */
  changed: [device: Device, previous: Device];
  renamed: [device: Device, oldName: string];
  /** Deleted, or moved into another namespace. */
  removed: [device: Device];
  /** Notifications were lost and the devices read afresh; the differences follow as events. */
  resync: [detail: { reason: ResyncReason }];
}

export interface LinkCounters {
  /** Link messages read. */
  messages: number;
  /** Times the kernel had to drop notifications. */
  overruns: number;
  /** Fresh readings of all devices after the first. */
  resyncs: number;
  malformed: number;
}

export interface LinkMonitorOptions {
  /** fd of the namespace to watch; the calling thread's own by default. Not needed any more after construction. */
  netns?: number;
  /** Receive buffer in bytes; 1 MiB by default, a few hundred changes. */
  rcvbuf?: number;
  /** Whether a started monitor keeps the process alive; default true. */
  ref?: boolean;
  /** Instead of sockets: one that delivers notifications and one that answers requests. */
  transport?: { events: NetlinkTransport; requests: NetlinkTransport };
}

type Emission = { [K in keyof LinkEvents]: [K, ...LinkEvents[K]] }[keyof LinkEvents];

/**
 * The devices of a namespace, kept current by notifications. They are hints, the kernel's list is the truth: when some were lost
 * the list is read again and the difference is told. Just after a reading, a notification already overtaken by it may be told
 * once more; the last word is always the kernel's.
 */
export class LinkMonitor extends EventEmitter<LinkEvents> implements Disposable {
  readonly counters: LinkCounters = { messages: 0, overruns: 0, resyncs: 0, malformed: 0 };
  readonly #links = new Map<number, Device>();
  #version = 0;
  readonly #socket: NetlinkTransport;
  readonly #rtnl: Rtnl;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  readonly #queue: Emission[] = [];
  /** Told of by a notification, not yet looked up. */
  readonly #touched = new Set<number>();
  /** Messages about each device; and times that some may have been lost. */
  readonly #changes = new Map<number, number>();
  readonly #keepAlive: boolean;
  #watch: FdWatch | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stale: ResyncReason | undefined;
  #started = false;
  #closed = false;
  #emitting = false;

  constructor(options: LinkMonitorOptions = {}) {
    super();
    this.#keepAlive = options.ref ?? true;
    if (options.transport) {
      this.#socket = options.transport.events;
      this.#rtnl = new Rtnl({ transport: options.transport.requests });
      return;
    }
    const netns = options.netns === undefined ? {} : { netns: options.netns };
    this.#socket = new NetlinkSocket({ ...netns, rcvbuf: options.rcvbuf ?? DEFAULT_RCVBUF });
    try {
      this.#rtnl = new Rtnl(netns);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** By ifindex. Already current when an event is told. */
  get links(): ReadonlyMap<number, Device> {
    return this.#links;
  }

  /** Another number whenever a device was added, changed or removed. */
  get version(): number {
    return this.#version;
  }

  /**
   * As long as it returns the same for a device, the kernel has told nothing of it. Also counts what no field of `Device` shows, such as
   * a changed offload.
   */
  changes = (ifindex: number): number => this.counters.resyncs + (this.#changes.get(ifindex) ?? 0);

  /**
   * Subscribes, reads the devices (each is told as `added` before this returns) and follows changes: on this thread's event loop, or
   * with `{ loop: false }` whenever poll() is called.
   */
  start(options: { loop?: boolean } = {}): this {
    if (this.#closed || this.#started) {
      throw new VfError(
        'INTERNAL',
        `a LinkMonitor that is ${this.#closed ? 'closed' : 'running'} cannot be started`,
      );
    }
    // subscribed before the list is read: a change in between is seen twice rather than never
    if (this.#socket instanceof NetlinkSocket) this.#socket.join(c.RTNLGRP_LINK);
    this.#reconcile();
    this.#started = true;
    if (this.#socket instanceof NetlinkSocket && options.loop !== false) {
      this.#watch = watchFd(this.#socket.fd, () => this.#drain(BATCH), { ref: this.#keepAlive });
    }
    this.#emitAll();
    return this;
  }

  /** Reads what waits, now, and tells it. */
  poll(): void {
    if (!this.#started || this.#closed) return;
    this.#drain(Number.POSITIVE_INFINITY);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#queue.length = 0;
    this.#watch?.close();
    this.#socket.close();
    this.#rtnl.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #drain(max: number): void {
    let dry = false;
    for (let i = 0; i < max && !dry; i++) {
      const n = this.#socket.recv(this.#buffer);
      if (n === -c.EAGAIN) {
        dry = true;
        continue;
      }
      if (n === -c.EINTR) continue;
      if (n < 0) {
        this.counters.overruns++;
        this.#stale = 'overrun';
        // what still waits is older than the list about to be read
        this.#discard();
        break;
      }
      this.#datagram(this.#buffer.subarray(0, n));
    }
    if (this.#stale !== undefined) this.#resync(this.#stale);
    else if (dry) this.#lookUpTouched();
    else if (this.#watch !== undefined) setImmediate(() => this.#closed || this.#drain(BATCH));
    this.#emitAll();
  }

  /**
   * A notification can be sent in the middle of a change, with no second one to follow: a new veth does not know its peer yet, an MTU
   * below 1280 has not yet taken IPv6 away. So what was told of is looked up, once nothing older waits to be read.
   */
  #lookUpTouched(): void {
    const touched = [...this.#touched].filter((ifindex) => this.#links.has(ifindex));
    this.#touched.clear();
    try {
      if (touched.length > LOOK_UP_MAX) this.#reconcile();
      else for (const ifindex of touched) this.#lookUp(ifindex);
    } catch (error) {
      this.#unreadable(error);
    }
  }

  #lookUp(ifindex: number): void {
    const device = this.#rtnl.link(ifindex);
    if (device !== undefined) this.#put(device); // else it is gone, and its removal on the way
  }

  #discard(): void {
    // bounded: a stream of changes faster than this loop must not hold it; the rest is applied after the list
    for (let i = 0; i < 10_000 && this.#socket.recv(this.#buffer) !== -c.EAGAIN; i++);
  }

  #datagram(bytes: Uint8Array): void {
    try {
      for (const message of splitMessages(bytes)) this.#message(message);
    } catch (error) {
      if (!(error instanceof VfError)) throw error;
      this.counters.malformed++;
      this.#stale ??= 'malformed';
    }
  }

  #message(message: NlMessage): void {
    if (message.type !== c.RTM_NEWLINK && message.type !== c.RTM_DELLINK) return;
    this.counters.messages++;
    const header = parseLinkHeader(message.data);
    // AF_BRIDGE speaks of a port: its DELLINK means "left the bridge", the device lives on
    if (header.family !== c.AF_UNSPEC) return;
    this.#changes.set(header.ifindex, (this.#changes.get(header.ifindex) ?? 0) + 1);
    if (message.type === c.RTM_DELLINK) {
      this.#remove(header.ifindex);
    } else if (attributesAfter(message.data, 16).has(c.IFLA_IFNAME)) {
      // wireless events come without a name: they carry one attribute and no device
      this.#touched.add(header.ifindex);
      this.#put(parseLink(message.data));
    }
  }

  #put(device: Device): void {
    const previous = this.#links.get(device.ifindex);
    if (isDeepStrictEqual(previous, device)) return;
    this.#version++;
    this.#links.set(device.ifindex, device);
    if (previous === undefined) {
      this.#queue.push(['added', device]);
      return;
    }
    if (previous.name !== device.name) this.#queue.push(['renamed', device, previous.name]);
    if (!isDeepStrictEqual({ ...previous, name: '' }, { ...device, name: '' })) {
      this.#queue.push(['changed', device, previous]);
    }
  }

  #remove(ifindex: number): void {
    const device = this.#links.get(ifindex);
    if (device === undefined) return;
    this.#version++;
    this.#links.delete(ifindex);
    this.#changes.delete(ifindex);
    this.#queue.push(['removed', device]);
  }

  /** Reads the list and queues the difference. */
  #reconcile(): void {
    const now = new Map(this.#rtnl.links().map((device) => [device.ifindex, device]));
    for (const [ifindex, known] of this.#links) {
      const device = now.get(ifindex);
      if (device === undefined || !isSameDevice(known, device)) this.#remove(ifindex);
    }
    for (const device of now.values()) this.#put(device);
  }

  #resync(reason: ResyncReason): void {
    const at = this.#queue.length;
    try {
      this.#reconcile();
    } catch (error) {
      this.#unreadable(error);
      return;
    }
    this.#stale = undefined;
    this.#touched.clear();
    this.counters.resyncs++;
    this.#queue.splice(at, 0, ['resync', { reason }]);
  }

  /** The kernel does not answer right now: what is known stays, marked, and is read again later. */
  #unreadable(error: unknown): void {
    if (!(error instanceof VfError)) throw error;
    this.#stale = 'retry';
    if (this.#watch === undefined) return; // poll() comes again by itself
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.poll(), RETRY_MS);
    if (!this.#keepAlive) this.#retry.unref();
  }

  /** A listener that throws or calls poll() costs nobody an event: the rest is told after it. */
  #emitAll(): void {
    if (this.#emitting) return;
    this.#emitting = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        (this.emit as (...event: Emission) => boolean).apply(this, next);
      }
    } finally {
      this.#emitting = false;
      if (this.#queue.length > 0) setImmediate(() => this.#emitAll());
    }
  }
}

/** Whether an ifindex found again after lost notifications still means the same hardware. */
function isSameDevice(a: Device, b: Device): boolean {
  return a.kind === b.kind && a.parentDev === b.parentDev && a.permAddress === b.permAddress;
}
