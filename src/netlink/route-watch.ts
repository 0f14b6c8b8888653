import { type FdWatch, NetlinkSocket, watchFd } from 'bpf-loader-ts/sys';
import { attributesAfter, readU16, readU32, splitMessages } from './codec.js';
import * as c from './constants.js';

/** Notifications read in one turn of the event loop. */
const BATCH = 256;
/** Room for a route with its metrics and some next hops. Of a longer one the devices are not known. */
const ROUTE_BYTES = 2048;
const RTMSG = 12;
/** struct rtnexthop: its length, then flags and hops, then the device. */
const NEXTHOP = 8;
/** A router that learns a whole table loses notifications all the time: that may mean any device, but not more often than this, ms. */
const LOST_MS = 5_000;

/** Counts what the kernel tells of routes by each device of a namespace. */
export class RouteWatch implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #watch: FdWatch;
  readonly #bytes = new Uint8Array(ROUTE_BYTES);
  readonly #counts = new Map<number, number>();
  #lost = 0;
  #lostAt = Number.NEGATIVE_INFINITY;

  /** `netns`: fd of the namespace; not needed any more after this. */
  constructor(netns: number) {
    this.#socket = new NetlinkSocket({ netns });
    this.#socket.join(c.RTNLGRP_IPV4_ROUTE);
    this.#socket.join(c.RTNLGRP_IPV6_ROUTE);
    this.#watch = watchFd(this.#socket.fd, () => this.#drain(), { ref: false });
  }

  /** As long as it returns the same, the routes by the device are the same. */
  count = (ifindex: number): number => this.#lost + (this.#counts.get(ifindex) ?? 0);

  #drain(): void {
    for (let i = 0; i < BATCH; i++) {
      const n = this.#socket.recv(this.#bytes);
      if (n === -c.EAGAIN) return;
      if (n > 0) this.#read(this.#bytes.subarray(0, n));
      else if (n !== -c.EINTR) this.#anyDevice();
    }
  }

  #read(bytes: Uint8Array): void {
    try {
      for (const { data } of splitMessages(bytes))
        for (const ifindex of devicesOf(data))
          this.#counts.set(ifindex, (this.#counts.get(ifindex) ?? 0) + 1);
    } catch {
      // Cut, or of a kernel that speaks otherwise.
      this.#anyDevice();
    }
  }

  #anyDevice(): void {
    const now = performance.now();
    if (now - this.#lostAt < LOST_MS) return;
    this.#lostAt = now;
    this.#lost++;
  }

  close(): void {
    this.#watch.close();
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The devices that a route goes by. `data`: struct rtmsg and what follows. */
export function devicesOf(data: Uint8Array): number[] {
  const attributes = attributesAfter(data, RTMSG);
  const oif = attributes.get(c.RTA_OIF);
  if (oif !== undefined) return [readU32(oif)];
  const hops = attributes.get(c.RTA_MULTIPATH) ?? new Uint8Array(0);
  const out: number[] = [];
  for (let at = 0; at + NEXTHOP <= hops.length; ) {
    const length = readU16(hops.subarray(at));
    if (length < NEXTHOP) break;
    out.push(readU32(hops.subarray(at + 4)));
    at += (length + 3) & ~3;
  }
  return out;
}
