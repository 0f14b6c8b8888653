import { type FdWatch, NetlinkSocket, watchFd } from 'bpf-loader-ts/sys';
import * as c from './constants.js';

/** Notifications read in one turn of the event loop, so that a flood of changes leaves it its turns. */
const BATCH = 256;

export interface NotificationOptions {
  /** fd of the namespace; not needed any more after construction. */
  netns: number;
  /** RTNLGRP_*. */
  groups: readonly number[];
  /** Bytes of a datagram that are read; the rest is cut. */
  room: number;
  /** Receive buffer in bytes; the kernel's default if absent. */
  rcvbuf?: number;
  /** True if it keeps the process alive; false by default. */
  ref?: boolean;
}

/** What a socket that follows changes tells. */
export interface NotificationListener {
  /** One datagram; `whole` is false if it was longer than the room for it. A view of what the next one overwrites. */
  datagram(bytes: Uint8Array, whole: boolean): void;
  /** Notifications were lost: anything may have changed. */
  lost(): void;
  /** All that waited has been told, or as many as one turn of the event loop takes. */
  told?(): void;
}

/** A netlink socket joined to groups, read on this thread's event loop. */
export class Notifications implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #watch: FdWatch;
  readonly #room: Uint8Array;
  readonly #listener: NotificationListener;

  constructor(options: NotificationOptions, listener: NotificationListener) {
    const { netns, groups, room, rcvbuf, ref = false } = options;
    this.#listener = listener;
    this.#room = new Uint8Array(room);
    this.#socket = new NetlinkSocket({ netns, ...(rcvbuf !== undefined && { rcvbuf }) });
    for (const group of groups) this.join(group);
    this.#watch = watchFd(this.#socket.fd, () => this.#drain(), { ref });
  }

  /** Follows one more group. */
  join(group: number): void {
    this.#socket.join(group);
  }

  #drain(): void {
    const [room, listener] = [this.#room, this.#listener];
    for (let i = 0; i < BATCH; i++) {
      const n = this.#socket.recv(room);
      if (n === -c.EAGAIN) break;
      if (n === -c.EINTR) continue;
      if (n >= 0) listener.datagram(room.subarray(0, n), true);
      else if (n === -c.EMSGSIZE) listener.datagram(room, false);
      else listener.lost();
    }
    listener.told?.();
  }

  close(): void {
    this.#watch.close();
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Counts changes by device. What was lost counts for each of them. */
export class ChangeCounts {
  readonly #counts = new Map<number, number>();
  #lost = 0;

  /** As long as it returns the same, nothing was told of the device. */
  count = (ifindex: number): number => this.#lost + (this.#counts.get(ifindex) ?? 0);

  changed(ifindex: number): void {
    this.#counts.set(ifindex, (this.#counts.get(ifindex) ?? 0) + 1);
  }

  lost(): void {
    this.#lost++;
  }
}
