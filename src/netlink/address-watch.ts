import * as c from './constants.js';
import { LE, viewOf } from './message.js';
import { ChangeCounts, Notifications } from './notifications.js';

/** Room for the header of a notification and struct ifaddrmsg; the rest is cut. */
const HEAD_BYTES = 24;
const IFADDRMSG_INDEX = 20;

/** Counts what the kernel tells of the addresses of a namespace's devices. */
export class AddressWatch implements Disposable {
  readonly #counts = new ChangeCounts();
  readonly #notifications: Notifications;

  /** `netns`: fd of the namespace; not needed any more after this. */
  constructor(netns: number) {
    const groups = [c.RTNLGRP_IPV4_IFADDR, c.RTNLGRP_IPV6_IFADDR];
    this.#notifications = new Notifications(
      { netns, groups, room: HEAD_BYTES },
      {
        datagram: (bytes) => {
          if (bytes.length === HEAD_BYTES) this.#counts.changed(viewOf(bytes).getUint32(IFADDRMSG_INDEX, LE));
        },
        lost: () => this.#counts.lost(),
      },
    );
  }

  /** As long as it returns the same, the device's addresses are the same. */
  count = (ifindex: number): number => this.#counts.count(ifindex);

  close(): void {
    this.#notifications.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
