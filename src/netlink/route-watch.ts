import * as c from './constants.js';
import { attributesAfter, readU16, readU32, splitMessages } from './message.js';
import { ChangeCounts, Notifications } from './notifications.js';

/** Room for a route with its metrics and some next hops. Of a longer one the devices are not known. */
const ROUTE_BYTES = 2048;
const RTMSG = 12;
/** struct rtnexthop: its length, then flags and hops, then the device. */
const NEXTHOP = 8;
/** A router that learns a whole table loses notifications all the time: that may mean any device, but not more often than this, ms. */
const LOST_MS = 5_000;

/** Counts what the kernel tells of routes by each device of a namespace. */
export class RouteWatch implements Disposable {
  readonly #counts = new ChangeCounts();
  readonly #notifications: Notifications;
  #lostAt = Number.NEGATIVE_INFINITY;

  /** `netns`: fd of the namespace; not needed any more after this. */
  constructor(netns: number) {
    const groups = [c.RTNLGRP_IPV4_ROUTE, c.RTNLGRP_IPV6_ROUTE];
    this.#notifications = new Notifications(
      { netns, groups, room: ROUTE_BYTES },
      {
        datagram: (bytes, whole) => (whole ? this.#read(bytes) : this.#anyDevice()),
        lost: () => this.#anyDevice(),
      },
    );
  }

  /** As long as it returns the same, the routes by the device are the same. */
  count = (ifindex: number): number => this.#counts.count(ifindex);

  #read(bytes: Uint8Array): void {
    try {
      for (const { data } of splitMessages(bytes))
        for (const ifindex of devicesOf(data)) this.#counts.changed(ifindex);
    } catch {
      // Cut, or of a kernel that speaks otherwise.
      this.#anyDevice();
    }
  }

  #anyDevice(): void {
    const now = performance.now();
    if (now - this.#lostAt < LOST_MS) return;
    this.#lostAt = now;
    this.#counts.lost();
  }

  close(): void {
    this.#notifications.close();
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
