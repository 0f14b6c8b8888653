/** Addresses and routes as bytes that can be kept, and given to the kernel again. */
import { endianness } from 'node:os';
import * as c from './constants.js';
import type { RawAttribute, RawRequest } from './requests.js';
import { devicesOf } from './route-watch.js';
import type { Rtnl } from './rtnl.js';

const LE = endianness() === 'LE';
const IFADDRMSG = 8;
const RTMSG = 12;
const NLA_HDRLEN = 4;
const NLA_TYPE_MASK = 0x3fff;
const FOREVER = 0xffffffff;
const CREATE = c.NLM_F_CREATE | c.NLM_F_EXCL;

/** What is kept of an address: the rest follows from it. */
const ADDRESS_ATTRIBUTES = [
  c.IFA_ADDRESS,
  c.IFA_LOCAL,
  c.IFA_LABEL,
  c.IFA_BROADCAST,
  c.IFA_CACHEINFO,
  c.IFA_FLAGS,
  c.IFA_RT_PRIORITY,
  c.IFA_PROTO,
];
/** Likewise of a route. Its device is the one that it is given back to. */
const ROUTE_ATTRIBUTES = [
  c.RTA_DST,
  c.RTA_SRC,
  c.RTA_GATEWAY,
  c.RTA_PRIORITY,
  c.RTA_PREFSRC,
  c.RTA_METRICS,
  c.RTA_FLOW,
  c.RTA_TABLE,
  c.RTA_VIA,
  c.RTA_PREF,
];
/** What the kernel finds out by itself about an address. */
const FOUND_OUT = c.IFA_F_TENTATIVE | c.IFA_F_DADFAILED | c.IFA_F_DEPRECATED | c.IFA_F_PERMANENT;

/** An address of a device, with all that is needed to give it back. */
export interface SavedAddress {
  readonly family: 4 | 6;
  readonly prefix: number;
  /** The device's own address, raw. */
  readonly bytes: Uint8Array;
  /** 0 universe, 253 link, 254 host. */
  readonly scope: number;
  /** IFA_F_*. */
  readonly flags: number;
  /** Who made it (IFAPROT_*, Linux 5.18): 0 nobody says, 1 loopback, 2 a router's advertisement, 3 the kernel's link-local. */
  readonly proto: number;
  /** struct ifaddrmsg and the attributes worth keeping. */
  readonly raw: Uint8Array;
}

/** A route by a device, likewise. */
export interface SavedRoute {
  readonly family: 4 | 6;
  /** RTPROT_*: who made it. */
  readonly proto: number;
  /** It has several next hops, and other devices among them. */
  readonly shared: boolean;
  /** It needs another route to be there first. */
  readonly hasGateway: boolean;
  /** struct rtmsg and the attributes worth keeping; undefined: it has several ways, or cannot be kept. */
  readonly raw: Uint8Array | undefined;
}

const viewOf = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength);

/** Attributes after a header, as slices with theirs. */
function* attributes(data: Uint8Array, from: number): Generator<{ type: number; whole: Uint8Array }> {
  const view = viewOf(data);
  for (let at = from; at + NLA_HDRLEN <= data.length; ) {
    const length = view.getUint16(at, LE);
    if (length < NLA_HDRLEN || at + length > data.length) return;
    yield { type: view.getUint16(at + 2, LE) & NLA_TYPE_MASK, whole: data.subarray(at, at + length) };
    at += (length + 3) & ~3;
  }
}

/** A header and those attributes of a message that are in `wanted`. */
function kept(data: Uint8Array, header: number, wanted: readonly number[]): Uint8Array {
  const parts = [data.subarray(0, header)];
  for (const { type, whole } of attributes(data, header)) {
    if (!wanted.includes(type)) continue;
    const padded = new Uint8Array((whole.length + 3) & ~3);
    padded.set(whole);
    parts.push(padded);
  }
  return new Uint8Array(Buffer.concat(parts));
}

const attributeOf = (data: Uint8Array, header: number, wanted: number): Uint8Array | undefined => {
  for (const { type, whole } of attributes(data, header))
    if (type === wanted) return whole.subarray(NLA_HDRLEN);
  return undefined;
};

/** Reads a kept address. `raw`: as `SavedAddress.raw`, or RTM_NEWADDR data. */
export function readAddress(raw: Uint8Array): SavedAddress | undefined {
  const bytes = attributeOf(raw, IFADDRMSG, c.IFA_LOCAL) ?? attributeOf(raw, IFADDRMSG, c.IFA_ADDRESS);
  if (bytes === undefined || (raw[0] !== c.AF_INET && raw[0] !== c.AF_INET6)) return undefined;
  const flags = attributeOf(raw, IFADDRMSG, c.IFA_FLAGS);
  return {
    family: raw[0] === c.AF_INET ? 4 : 6,
    prefix: raw[1]!,
    bytes: bytes.slice(),
    scope: raw[3]!,
    flags: flags === undefined ? raw[2]! : viewOf(flags).getUint32(0, LE),
    proto: attributeOf(raw, IFADDRMSG, c.IFA_PROTO)?.[0] ?? 0,
    raw: kept(raw, IFADDRMSG, ADDRESS_ATTRIBUTES),
  };
}

/** The addresses of a device, in the kernel's order. */
export function savedAddresses(rtnl: Rtnl, ifindex: number): SavedAddress[] {
  const head = new Uint8Array(IFADDRMSG);
  viewOf(head).setUint32(4, ifindex, LE);
  const what = `list addresses of device ${ifindex}`;
  return rtnl
    .dumpRaw({ type: c.RTM_GETADDR, head, attributes: [], what }, c.RTM_NEWADDR)
    .filter((data) => viewOf(data).getUint32(4, LE) === ifindex)
    .flatMap((data) => readAddress(data) ?? []);
}

/** Routes of a device that somebody made; those that come with addresses and groups are left out. */
export function savedRoutes(rtnl: Rtnl, ifindex: number): SavedRoute[] {
  return [c.AF_INET, c.AF_INET6].flatMap((family) => {
    const head = new Uint8Array(RTMSG);
    head[0] = family;
    const attributes: RawAttribute[] = [[c.RTA_OIF, u32(ifindex)]];
    const what = `list routes of device ${ifindex}`;
    return rtnl
      .dumpRaw({ type: c.RTM_GETROUTE, head, attributes, what }, c.RTM_NEWROUTE)
      .flatMap((data) => routeOf(data, ifindex) ?? []);
  });
}

function routeOf(data: Uint8Array, ifindex: number): SavedRoute | undefined {
  const [proto, type, table] = [data[5]!, data[7]!, data[4]!];
  const cloned = (viewOf(data).getUint32(8, LE) & c.RTM_F_CLONED) !== 0;
  const made = proto !== c.RTPROT_RA && !cloned && type === c.RTN_UNICAST && table !== c.RT_TABLE_LOCAL;
  if (!made || !devicesOf(data).includes(ifindex)) return undefined;
  const shared = attributeOf(data, RTMSG, c.RTA_OIF) === undefined;
  const dst = attributeOf(data, RTMSG, c.RTA_DST);
  // fe80::/64 comes and goes with the device's IPv6.
  if (proto === c.RTPROT_KERNEL && dst?.[0] === 0xfe && (dst[1]! & 0xc0) === 0x80) return undefined;
  const gateway = attributeOf(data, RTMSG, c.RTA_GATEWAY) ?? attributeOf(data, RTMSG, c.RTA_VIA);
  return {
    family: data[0] === c.AF_INET ? 4 : 6,
    proto,
    shared,
    hasGateway: gateway !== undefined,
    raw: shared ? undefined : kept(data, RTMSG, ROUTE_ATTRIBUTES),
  };
}

/** Takes an address from a device; that there is none any more is no error. */
export function deleteAddress(
  rtnl: Rtnl,
  ifindex: number,
  { family, prefix, raw, bytes }: SavedAddress,
): void {
  const head = headOf(raw, IFADDRMSG);
  head[1] = prefix;
  viewOf(head).setUint32(4, ifindex, LE);
  const local = family === 6 ? bytes : (attributeOf(raw, IFADDRMSG, c.IFA_LOCAL) ?? bytes);
  const attributes: RawAttribute[] = [[family === 6 ? c.IFA_ADDRESS : c.IFA_LOCAL, local]];
  const what = `take an address from device ${ifindex}`;
  rtnl.requestRaw({ type: c.RTM_DELADDR, head, attributes, what }, 0, [c.EADDRNOTAVAIL, c.ENODEV]);
}

/**
 * Gives an address to a device as it was. Nothing happens if the device has it, or if its lifetime of then is over.
 * `elapsedS`: seconds since it was kept.
 */
export function addAddress(
  rtnl: Rtnl,
  ifindex: number,
  { raw, flags }: SavedAddress,
  elapsedS: number,
): void {
  const head = headOf(raw, IFADDRMSG);
  head[2] = 0;
  viewOf(head).setUint32(4, ifindex, LE);
  const attrs: RawAttribute[] = [[c.IFA_FLAGS, u32(flags & ~FOUND_OUT)]];
  for (const { type, whole } of attributes(raw, IFADDRMSG)) {
    const value = whole.slice(NLA_HDRLEN);
    if (type === c.IFA_FLAGS) continue;
    if (type === c.IFA_CACHEINFO && !age(value, elapsedS)) return;
    attrs.push([type, value]);
  }
  const what = `give an address to device ${ifindex}`;
  rtnl.requestRaw({ type: c.RTM_NEWADDR, head, attributes: attrs, what }, CREATE, [c.EEXIST]);
}

/** Takes the time that has passed from the lifetimes in struct ifa_cacheinfo. False if nothing is left. */
function age(cacheinfo: Uint8Array, elapsedS: number): boolean {
  const view = viewOf(cacheinfo);
  for (const at of [0, 4]) {
    const left = view.getUint32(at, LE);
    if (left === FOREVER) continue;
    if (at === 4 && left <= elapsedS) return false;
    view.setUint32(at, Math.max(0, left - elapsedS), LE);
  }
  return true;
}

/** Takes a route away; that there is none any more is no error. */
export function deleteRoute(rtnl: Rtnl, ifindex: number, raw: Uint8Array): void {
  const request = routeRequest(c.RTM_DELROUTE, ifindex, raw, `take a route from device ${ifindex}`);
  rtnl.requestRaw(request, 0, [c.ESRCH]);
}

/** Gives a route back; that it is there is no error. */
export function addRoute(rtnl: Rtnl, ifindex: number, raw: Uint8Array): void {
  const request = routeRequest(c.RTM_NEWROUTE, ifindex, raw, `give a route to device ${ifindex}`);
  rtnl.requestRaw(request, CREATE, [c.EEXIST]);
}

function routeRequest(type: number, ifindex: number, raw: Uint8Array, what: string): RawRequest {
  return { type, head: headOf(raw, RTMSG), attributes: routeAttributes(raw, ifindex), what };
}

/** Whether a kept route has a gateway, and so is to be given back after those that have none. */
export const hasGateway = (raw: Uint8Array): boolean =>
  (attributeOf(raw, RTMSG, c.RTA_GATEWAY) ?? attributeOf(raw, RTMSG, c.RTA_VIA)) !== undefined;

function routeAttributes(raw: Uint8Array, ifindex: number): [number, Uint8Array][] {
  const attrs: [number, Uint8Array][] = [[c.RTA_OIF, u32(ifindex)]];
  for (const { type, whole } of attributes(raw, RTMSG)) {
    const nested = (viewOf(whole).getUint16(2, LE) & ~NLA_TYPE_MASK) | type;
    attrs.push([nested, whole.slice(NLA_HDRLEN)]);
  }
  return attrs;
}

/** The fixed header, without what the kernel reports and does not take. */
function headOf(raw: Uint8Array, size: number): Uint8Array {
  const head = raw.slice(0, size);
  // rtm_flags: RTNH_F_LINKDOWN and the like.
  if (size === RTMSG) viewOf(head).setUint32(8, viewOf(head).getUint32(8, LE) & c.RTNH_F_ONLINK, LE);
  return head;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, LE);
  return bytes;
}
