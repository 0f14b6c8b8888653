import { type FdWatch, NetlinkSocket, watchFd } from 'bpf-loader-ts/sys';
import { splitMessages } from './codec.js';
import * as c from './constants.js';
import { RECEIVE_BYTES } from './transport.js';

/** Datagrams read in one go, so that a flood of changes leaves the event loop its turns. */
const BATCH = 256;
const RCVBUF = 1 << 18;
/** struct tcmsg: 4 bytes of family and padding, then the ifindex. */
const IFINDEX_AT = 4;
const TCMSG_BYTES = 20;

/** Told of changes of qdiscs, filters and chains, once for each device however many came together. */
export interface TcListener {
  /** `port`: netlink port of who asked for the last change, as a rule its process id; 0: the kernel. */
  changed(ifindex: number, port: number): void;
  /** Notifications were lost: anything may have changed. */
  lost(): void;
}

/** Follows what happens to the qdiscs and filters of a namespace (RTNLGRP_TC), on this thread's event loop. */
export class TcMonitor implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #watch: FdWatch;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  readonly #counts = new Map<number, number>();
  /** Notifications that were lost, and so may have been of any device. */
  #lost = 0;
  /** Who is told at once; undefined: nobody. */
  listener: TcListener | undefined;

  /** `netns`: fd of the namespace, not needed any more afterwards. */
  constructor(netns: number) {
    this.#socket = new NetlinkSocket({ netns, rcvbuf: RCVBUF });
    this.#socket.join(c.RTNLGRP_TC);
    this.#watch = watchFd(this.#socket.fd, () => this.#drain());
  }

  /** As long as it returns the same, the device's qdiscs and filters are the same. */
  changes = (ifindex: number): number => this.#lost + (this.#counts.get(ifindex) ?? 0);

  #drain(): void {
    const touched = new Map<number, number>();
    let lost = false;
    for (let i = 0; i < BATCH; i++) {
      const n = this.#socket.recv(this.#buffer);
      if (n === -c.EAGAIN) break;
      if (n === -c.EINTR) continue;
      if (n < 0) lost = true;
      else lost = !this.#read(this.#buffer.subarray(0, n), touched) || lost;
    }
    if (lost) this.#lost++;
    for (const ifindex of touched.keys()) this.#counts.set(ifindex, (this.#counts.get(ifindex) ?? 0) + 1);
    if (lost) this.listener?.lost();
    else for (const [ifindex, port] of touched) this.listener?.changed(ifindex, port);
  }

  /** False if the datagram cannot be understood. */
  #read(datagram: Uint8Array, touched: Map<number, number>): boolean {
    try {
      for (const { data, port } of splitMessages(datagram)) {
        if (data.length < TCMSG_BYTES) continue;
        const ifindex = new DataView(data.buffer, data.byteOffset).getInt32(IFINDEX_AT, true);
        // What follows from a change, as the end of its chains, the kernel tells in its own name. A process id is below 2^31.
        const tells = port !== 0 && port <= 0x7fffffff;
        touched.set(ifindex, tells ? port : (touched.get(ifindex) ?? port));
      }
      return true;
    } catch {
      return false;
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
