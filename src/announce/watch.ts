import { type FdWatch, NetlinkSocket, watchFd } from 'bpf-loader-ts/sys';
import * as c from '../netlink/constants.js';
import type { LinkMonitor } from '../netlink/index.js';

/** From the first change until it is told, ms: what changes with it is told with it. */
const FIRST_MS = 5;
/** Least time between two that are told, ms, and the most that a dear look may make of it. */
const GAP_MS = 20;
const GAP_MAX_MS = 80;
/** A look that takes long comes less often: so many times its own duration pass before the next. */
const GAP_LOOKS = 4;
/** Notifications read in one turn of the event loop. */
const BATCH = 256;
/** Room for the header of a notification and of what it is about; the rest is cut. */
const HEAD_BYTES = 32;

/**
 * Tells that what a namespace's masters announce may have changed: addresses, devices, and the stations of bridges once `bridges` was
 * called. Changes that come together are told once, within 25 ms of the first, or 80 ms where a look at them takes long; a device's new MAC
 * at once, before those who listen to the monitor later. What is lost in a flood (ENOBUFS) counts as a change.
 */
export class AnnounceWatch implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #changed: () => void;
  readonly #head = new Uint8Array(HEAD_BYTES);
  readonly #view = new DataView(this.#head.buffer);
  #watch: FdWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the next may be told, by performance.now(). */
  #notBefore = 0;
  #bridges = false;

  /** `netns` is not needed any more after this; the monitor's devices are those of the same namespace. */
  constructor(netns: number, monitor: LinkMonitor, changed: () => void) {
    this.#changed = changed;
    this.#socket = new NetlinkSocket({ netns });
    this.#socket.join(c.RTNLGRP_IPV4_IFADDR);
    this.#socket.join(c.RTNLGRP_IPV6_IFADDR);
    this.#watch = watchFd(this.#socket.fd, () => this.#drain(), { ref: false });
    for (const event of ['added', 'renamed', 'removed'] as const) monitor.on(event, () => this.touch());
    monitor.on('changed', (device, before) => {
      // Who listens after us may end a join for it, which is a switch: that has to be announced with the new MAC already.
      if (device.address !== before.address) this.#tell();
      else this.touch();
    });
  }

  /** From now on stations that a bridge learns or forgets count as changes, too. */
  bridges(): void {
    if (this.#bridges || this.#watch === undefined) return;
    this.#bridges = true;
    this.#socket.join(c.RTNLGRP_NEIGH);
  }

  /** Something may have changed. */
  touch(): void {
    if (this.#timer !== undefined || this.#watch === undefined) return;
    const wait = Math.max(FIRST_MS, this.#notBefore - performance.now());
    this.#timer = setTimeout(() => this.#tell(), wait).unref();
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const start = performance.now();
    try {
      this.#changed();
    } finally {
      const end = performance.now();
      this.#notBefore = end + Math.min(GAP_MAX_MS, Math.max(GAP_MS, GAP_LOOKS * (end - start)));
    }
  }

  #drain(): void {
    for (let i = 0; i < BATCH; i++) {
      const n = this.#socket.recv(this.#head);
      if (n === -c.EAGAIN) return;
      // Longer than the head is cut, and the head of it is there.
      if (n >= 0 || n === -c.EMSGSIZE ? this.#matters() : n !== -c.EINTR) this.touch();
    }
  }

  /** Neighbours of ARP and ND come by the same group as the stations of bridges. */
  #matters(): boolean {
    const type = this.#view.getUint16(4, true);
    const isNeighbour = type === c.RTM_NEWNEIGH || type === c.RTM_DELNEIGH;
    return !isNeighbour || this.#view.getUint8(16) === c.AF_BRIDGE;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watch?.close();
    this.#watch = undefined;
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
