import { type FdWatch, NetlinkSocket, watchFd } from 'bpf-loader-ts/sys';
import * as c from './constants.js';

/** Notifications read in one turn of the event loop. */
const BATCH = 256;
/** Room for the header of a notification and struct ifaddrmsg; the rest is cut. */
const HEAD_BYTES = 24;
const IFADDRMSG_INDEX = 20;

/** Counts what the kernel tells of the addresses of a namespace's devices. */
export class AddressWatch implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #watch: FdWatch;
  readonly #head = new Uint8Array(HEAD_BYTES);
  readonly #view = new DataView(this.#head.buffer);
  readonly #counts = new Map<number, number>();
  /** Notifications that were lost, and so may have been of any device. */
  #lost = 0;

  /** `netns`: fd of the namespace; not needed any more after this. */
  constructor(netns: number) {
    this.#socket = new NetlinkSocket({ netns });
    this.#socket.join(c.RTNLGRP_IPV4_IFADDR);
    this.#socket.join(c.RTNLGRP_IPV6_IFADDR);
    this.#watch = watchFd(this.#socket.fd, () => this.#drain(), { ref: false });
  }

  /** As long as it returns the same, the device's addresses are the same. */
  count = (ifindex: number): number => this.#lost + (this.#counts.get(ifindex) ?? 0);

  #drain(): void {
    for (let i = 0; i < BATCH; i++) {
      const n = this.#socket.recv(this.#head);
      if (n === -c.EAGAIN) return;
      if (n === -c.ENOBUFS) this.#lost++;
      // Longer than the head is cut, and the head of it is there.
      if (n < HEAD_BYTES && n !== -c.EMSGSIZE) continue;
      const ifindex = this.#view.getUint32(IFADDRMSG_INDEX, true);
      this.#counts.set(ifindex, (this.#counts.get(ifindex) ?? 0) + 1);
    }
  }

  close(): void {
    this.#watch.close();
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
