import * as c from '../netlink/constants.js';
import type { LinkMonitor } from '../netlink/index.js';
import { LE, viewOf } from '../netlink/message.js';
import { Notifications } from '../netlink/notifications.js';

/** Time from the first change until it is reported, ms. Changes that come meanwhile are reported with it. */
const FIRST_MS = 5;
/** Least time between two reports, ms, and the most to which a slow look extends it. */
const GAP_MS = 20;
const GAP_MAX_MS = 80;
/** Pause after a look, in multiples of the time that the look took. */
const GAP_LOOKS = 4;
/** Bytes for the header of a notification and of its object. The rest is cut. */
const HEAD_BYTES = 32;
/** Offsets of a notification's type and of its object's family. */
const TYPE_AT = 4;
const FAMILY_AT = 16;

/**
 * Reports that the announcements of a namespace's masters may have changed: addresses, devices, and the stations of bridges once `bridges`
 * was called. Changes that come together are reported once, within 25 ms of the first, or within 80 ms where a look at them takes long. A
 * device's new MAC is reported at once, before later listeners of the monitor hear of it. A loss in a flood (ENOBUFS) counts as a change.
 */
export class AnnounceWatch implements Disposable {
  readonly #notifications: Notifications;
  readonly #changed: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the next report may be made, by performance.now(). */
  #notBefore = 0;
  #bridges = false;
  #closed = false;

  /** `netns` is not needed after this call. The monitor must watch the same namespace. */
  constructor(netns: number, monitor: LinkMonitor, changed: () => void) {
    this.#changed = changed;
    const groups = [c.RTNLGRP_IPV4_IFADDR, c.RTNLGRP_IPV6_IFADDR];
    this.#notifications = new Notifications(
      { netns, groups, room: HEAD_BYTES },
      {
        datagram: (bytes) => {
          if (matters(bytes)) this.touch();
        },
        lost: () => this.touch(),
      },
    );
    for (const event of ['added', 'renamed', 'removed'] as const) monitor.on(event, () => this.touch());
    monitor.on('changed', (device, before) => {
      // A later listener may end a join for it, which is a switch. That switch must be announced with the new MAC already.
      if (device.address !== before.address) this.#tell();
      else this.touch();
    });
  }

  /** Makes stations that a bridge learns or forgets count as changes from now on. */
  bridges(): void {
    if (this.#bridges || this.#closed) return;
    this.#bridges = true;
    this.#notifications.join(c.RTNLGRP_NEIGH);
  }

  /** Notes that something may have changed. */
  touch(): void {
    if (this.#timer !== undefined || this.#closed) return;
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

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closed) return;
    this.#closed = true;
    this.#notifications.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** True if a notification matters. Neighbours of ARP and ND come by the same group as the stations of bridges. */
function matters(head: Uint8Array): boolean {
  const view = viewOf(head);
  if (head.length < HEAD_BYTES) return true;
  const type = view.getUint16(TYPE_AT, LE);
  const isNeighbour = type === c.RTM_NEWNEIGH || type === c.RTM_DELNEIGH;
  return !isNeighbour || view.getUint8(FAMILY_AT) === c.AF_BRIDGE;
}
