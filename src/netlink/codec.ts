/** Netlink messages as bytes: building, splitting, reading. Pure; whatever the bytes, nothing but VfError comes out. */
import { endianness } from 'node:os';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { formatMac } from '../frames/mac.js';
import { ETHERTYPE } from '../frames/numbers.js';
import * as c from './constants.js';

/** Netlink speaks the byte order of its machine. */
const LE = endianness() === 'LE';
const NLMSG_HDRLEN = 16;
const NLA_HDRLEN = 4;
const NLA_TYPE_MASK = 0x3fff;
const NLA_F_NESTED = 0x8000;
const MAX_ERRNO = 4095;

export interface NlMessage {
  type: number;
  flags: number;
  seq: number;
  /** Netlink port of whoever asked for what a notification tells: as a rule its process id. 0: the kernel itself. */
  port: number;
  /** What follows the header; a view, not a copy. */
  data: Uint8Array;
}

/** Attributes by type; of a repeated one the last, as in the kernel. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

const align4 = (n: number): number => (n + 3) & ~3;
const viewOf = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength);
const decoder = new TextDecoder();
const encoder = new TextEncoder();

function malformed(what: string): VfError {
  return new VfError('NETLINK', `malformed netlink message: ${what}`);
}

// ---- building ----

/** Builds one message; grows as needed. */
export class MessageBuilder {
  #bytes = new Uint8Array(256);
  #view = viewOf(this.#bytes);
  #len = NLMSG_HDRLEN;

  constructor(type: number, flags: number) {
    this.#view.setUint16(4, type, LE);
    this.#view.setUint16(6, flags, LE);
  }

  #take(size: number): number {
    const at = this.#len;
    this.#len += align4(size);
    if (this.#len > this.#bytes.length) {
      const grown = new Uint8Array(2 ** Math.ceil(Math.log2(this.#len)));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    return at;
  }

  /** Plain bytes, padded to 4. */
  raw(bytes: Uint8Array): this {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** struct ifinfomsg. */
  ifinfo(ifindex: number, flags = 0, change = 0): this {
    const at = this.#take(16);
    this.#view.setInt32(at + 4, ifindex, LE);
    this.#view.setUint32(at + 8, flags, LE);
    this.#view.setUint32(at + 12, change, LE);
    return this;
  }

  attr(type: number, bytes: Uint8Array): this {
    const size = NLA_HDRLEN + bytes.length;
    if (size > 0xffff) throw new VfError('NETLINK', `attribute ${type} is too long`, { value: bytes.length });
    const at = this.#take(size);
    this.#view.setUint16(at, size, LE);
    this.#view.setUint16(at + 2, type, LE);
    this.#bytes.set(bytes, at + NLA_HDRLEN);
    return this;
  }

  u8(type: number, value: number): this {
    return this.attr(type, Uint8Array.of(value));
  }

  u32(type: number, value: number): this {
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, value, LE);
    return this.attr(type, bytes);
  }

  /** NUL-terminated. */
  string(type: number, value: string): this {
    return this.attr(type, encoder.encode(`${value}\0`));
  }

  nest(type: number, fill: (message: this) => void): this {
    const at = this.#take(NLA_HDRLEN);
    fill(this);
    const size = this.#len - at;
    if (size > 0xffff) throw new VfError('NETLINK', `attribute ${type} is too long`, { value: size });
    this.#view.setUint16(at, size, LE);
    this.#view.setUint16(at + 2, type | NLA_F_NESTED, LE);
    return this;
  }

  /** The message, ready to send; a view that the next call of a method may invalidate. */
  finish(seq: number): Uint8Array {
    this.#view.setUint32(0, this.#len, LE);
    this.#view.setUint32(8, seq, LE);
    return this.#bytes.subarray(0, this.#len);
  }
}

// ---- reading ----

/** The messages of one datagram. Those before a malformed one are yielded before it throws. */
export function* splitMessages(bytes: Uint8Array): Generator<NlMessage, void, undefined> {
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < NLMSG_HDRLEN) throw malformed(`${left} bytes where a header should be`);
    const len = view.getUint32(at, LE);
    if (len < NLMSG_HDRLEN || len > left) throw malformed(`length ${len} with ${left} bytes left`);
    yield {
      type: view.getUint16(at + 4, LE),
      flags: view.getUint16(at + 6, LE),
      seq: view.getUint32(at + 8, LE),
      port: view.getUint32(at + 12, LE),
      data: bytes.subarray(at + NLMSG_HDRLEN, at + len),
    };
    at += align4(len);
  }
}

export function parseAttributes(bytes: Uint8Array): Attributes {
  return new Map(listAttributes(bytes));
}

/** All attributes in their order, the repeated ones too. */
export function* listAttributes(
  bytes: Uint8Array,
): Generator<[type: number, value: Uint8Array], void, undefined> {
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < NLA_HDRLEN) throw malformed(`${left} bytes where an attribute should be`);
    const len = view.getUint16(at, LE);
    if (len < NLA_HDRLEN || len > left) throw malformed(`attribute length ${len} with ${left} bytes left`);
    yield [view.getUint16(at + 2, LE) & NLA_TYPE_MASK, bytes.subarray(at + NLA_HDRLEN, at + len)];
    at += align4(len);
  }
}

/** The attributes after a fixed header of `size` bytes. */
export function attributesAfter(data: Uint8Array, size: number): Attributes {
  if (data.length < size) throw malformed(`${data.length} bytes, the header alone has ${size}`);
  return parseAttributes(data.subarray(size));
}

function need(bytes: Uint8Array, size: number): DataView {
  if (bytes.length < size) throw malformed(`a value of ${bytes.length} bytes, ${size} expected`);
  return viewOf(bytes);
}

export const readU16 = (bytes: Uint8Array): number => need(bytes, 2).getUint16(0, LE);
/** In network order. */
const readBe16 = (bytes: Uint8Array): number => need(bytes, 2).getUint16(0);
export const readU8 = (bytes: Uint8Array): number => need(bytes, 1).getUint8(0);
export const readU32 = (bytes: Uint8Array): number => need(bytes, 4).getUint32(0, LE);
export const readI32 = (bytes: Uint8Array): number => need(bytes, 4).getInt32(0, LE);

/** Up to the first NUL; bytes that are not UTF-8 become U+FFFD. */
export function readString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** What a link message is about, before anything else is read of it. */
export interface LinkHeader {
  family: number;
  type: number;
  ifindex: number;
  flags: number;
}

export function parseLinkHeader(data: Uint8Array): LinkHeader {
  const view = need(data, 16);
  return {
    family: view.getUint8(0),
    type: view.getUint16(2, LE),
    ifindex: view.getInt32(4, LE),
    flags: view.getUint32(8, LE),
  };
}

const XDP_MODES = [undefined, 'driver', 'generic', 'offload', 'multi'] as const;

function parseXdp(bytes: Uint8Array): Device['xdp'] {
  const attrs = parseAttributes(bytes);
  const attached = attrs.get(c.IFLA_XDP_ATTACHED);
  const mode = attached && XDP_MODES[readU8(attached)];
  if (mode === undefined) return undefined;
  // with several modes at once there is no PROG_ID: the driver's program comes first in a packet's way
  const id = [c.IFLA_XDP_PROG_ID, c.IFLA_XDP_DRV_PROG_ID, c.IFLA_XDP_SKB_PROG_ID, c.IFLA_XDP_HW_PROG_ID]
    .map((type) => attrs.get(type))
    .find((value) => value !== undefined);
  return { mode, progId: id === undefined ? 0 : readU32(id) };
}

function parseAddrGenMode(afSpec: Uint8Array): number | undefined {
  const inet6 = parseAttributes(afSpec).get(c.AF_INET6);
  const mode = inet6 && parseAttributes(inet6).get(c.IFLA_INET6_ADDR_GEN_MODE);
  return mode && readU8(mode);
}

/** What a link says about VLANs, from its IFLA_LINKINFO. */
function parseVlan(info: Uint8Array): Pick<Device, 'vlan' | 'vlanFiltering'> {
  const attrs = parseAttributes(info);
  const [kind, data] = [attrs.get(c.IFLA_INFO_KIND), attrs.get(c.IFLA_INFO_DATA)];
  if (kind === undefined || data === undefined) return {};
  const name = readString(kind);
  if (name === 'vlan') {
    const of = parseAttributes(data);
    const [id, protocol] = [of.get(c.IFLA_VLAN_ID), of.get(c.IFLA_VLAN_PROTOCOL)];
    return id && protocol ? { vlan: { id: readU16(id), protocol: readBe16(protocol) } } : {};
  }
  if (name !== 'bridge') return {};
  const of = parseAttributes(data);
  const [filters, protocol] = [of.get(c.IFLA_BR_VLAN_FILTERING), of.get(c.IFLA_BR_VLAN_PROTOCOL)];
  return filters && readU8(filters) !== 0
    ? { vlanFiltering: protocol ? readBe16(protocol) : ETHERTYPE.vlan }
    : {};
}

/**
 * The device in the data of an RTM_NEWLINK or RTM_DELLINK message of family AF_UNSPEC. Throws on a message without a name: such
 * (wireless events) tell one attribute only.
 */
export function parseLink(data: Uint8Array): Device {
  const header = parseLinkHeader(data);
  const attrs = attributesAfter(data, 16);
  const get = <T>(type: number, read: (bytes: Uint8Array) => T): T | undefined => {
    const bytes = attrs.get(type);
    return bytes === undefined ? undefined : read(bytes);
  };
  const name = get(c.IFLA_IFNAME, readString);
  if (name === undefined || name === '') throw malformed('a link without a name');
  const device: Device = {
    ifindex: header.ifindex,
    name,
    type: header.type,
    address: get(c.IFLA_ADDRESS, formatMac) ?? '',
    mtu: get(c.IFLA_MTU, readU32) ?? 0,
    up: (header.flags & c.IFF_UP) !== 0,
    carrier: (get(c.IFLA_CARRIER, readU8) ?? header.flags & c.IFF_LOWER_UP) !== 0,
    operstate: c.OPERSTATES[get(c.IFLA_OPERSTATE, readU8) ?? 0] ?? 'unknown',
  };
  const info = get(c.IFLA_LINKINFO, parseAttributes);
  const kind = info?.get(c.IFLA_INFO_KIND);
  const kindName = kind && readString(kind);
  const optional: { [K in keyof Device]?: Device[K] | undefined } = {
    permAddress: get(c.IFLA_PERM_ADDRESS, formatMac),
    minMtu: get(c.IFLA_MIN_MTU, readU32),
    txQueues: get(c.IFLA_NUM_TX_QUEUES, readU32),
    txQueueLength: get(c.IFLA_TXQLEN, readU32),
    maxMtu: get(c.IFLA_MAX_MTU, readU32) || undefined, // 0: the driver sets none
    kind: kindName,
    master: get(c.IFLA_MASTER, readU32) || undefined,
    link: get(c.IFLA_LINK, readU32) || undefined,
    linkNetnsId: get(c.IFLA_LINK_NETNSID, readI32),
    parentDev: get(c.IFLA_PARENT_DEV_NAME, readString),
    parentBus: get(c.IFLA_PARENT_DEV_BUS_NAME, readString),
    physPortName: get(c.IFLA_PHYS_PORT_NAME, readString),
    xdp: get(c.IFLA_XDP, parseXdp),
    addrGenMode: get(c.IFLA_AF_SPEC, parseAddrGenMode),
    promiscuity: get(c.IFLA_PROMISCUITY, readU32) || undefined,
    allmulti: get(c.IFLA_ALLMULTI, readU32) || undefined,
    userFlags: header.flags & (c.IFF_PROMISC | c.IFF_ALLMULTI) || undefined,
    ...get(c.IFLA_LINKINFO, parseVlan),
  };
  // absent, not undefined: devices are compared and printed as JSON
  for (const [key, value] of Object.entries(optional))
    if (value !== undefined) Object.assign(device, { [key]: value });
  return device;
}

/** The outcome in an NLMSG_ERROR or NLMSG_DONE message: 0 or a positive errno, and the kernel's own words. */
export interface Ack {
  errno: number;
  message?: string;
}

export function parseAck(message: NlMessage): Ack {
  const { type, flags, data } = message;
  // a dump that ended well may come without any payload
  if (type === c.NLMSG_DONE && data.length < 4) return { errno: 0 };
  const errno = Math.abs(readI32(data));
  if (errno > MAX_ERRNO) throw malformed(`an error number of ${errno}`);
  if ((flags & c.NLM_F_ACK_TLVS) === 0) return { errno };
  let at = 4;
  if (type === c.NLMSG_ERROR) {
    // the request's header follows, and unless capped the whole request
    const request = need(data, 4 + NLMSG_HDRLEN).getUint32(4, LE);
    at += (flags & c.NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN : align4(request);
  }
  const text = attributesAfter(data, at).get(c.NLMSGERR_ATTR_MSG);
  return text === undefined ? { errno } : { errno, message: readString(text) };
}

/** One address of a device. */
export interface Address {
  ifindex: number;
  family: 4 | 6;
  /** The raw address; ip.ts formats it. */
  bytes: Uint8Array;
  prefix: number;
  /** 0 universe, 253 link, 254 host. */
  scope: number;
  /** IFA_F_*. */
  flags: number;
}

/** The address in RTM_NEWADDR data; undefined for families other than IPv4 and IPv6. */
export function parseAddress(data: Uint8Array): Address | undefined {
  const view = need(data, 8);
  const family = view.getUint8(0);
  if (family !== c.AF_INET && family !== c.AF_INET6) return undefined;
  const attrs = attributesAfter(data, 8);
  // on a point-to-point link ADDRESS is the peer's, LOCAL ours
  const bytes = attrs.get(c.IFA_LOCAL) ?? attrs.get(c.IFA_ADDRESS);
  if (bytes === undefined || bytes.length !== (family === c.AF_INET ? 4 : 16))
    throw malformed('an address without bytes');
  const flags = attrs.get(c.IFA_FLAGS);
  return {
    ifindex: view.getUint32(4, LE),
    family: family === c.AF_INET ? 4 : 6,
    bytes: bytes.slice(),
    prefix: view.getUint8(1),
    scope: view.getUint8(3),
    flags: flags === undefined ? view.getUint8(2) : readU32(flags),
  };
}

/** The way to an address. */
export interface Route {
  /** RTN_*: 1 unicast, 2 local, 3 broadcast, 5 multicast. */
  type: number;
  /** Where it begins; 0 where the kernel names no device. */
  ifindex: number;
  /** Raw; undefined: the address is on the link. */
  gateway?: Uint8Array;
  /** Raw: the source address that the kernel would take. */
  source?: Uint8Array;
}

/** The route in RTM_NEWROUTE data. */
export function parseRoute(data: Uint8Array): Route {
  const type = need(data, 12).getUint8(7);
  const attrs = attributesAfter(data, 12);
  const oif = attrs.get(c.RTA_OIF);
  const [gateway, source] = [attrs.get(c.RTA_GATEWAY), attrs.get(c.RTA_PREFSRC)];
  return {
    type,
    ifindex: oif === undefined ? 0 : readU32(oif),
    ...(gateway !== undefined && { gateway: gateway.slice() }),
    ...(source !== undefined && { source: source.slice() }),
  };
}

/** What the kernel knows of a neighbour. */
export interface Neighbour {
  /** undefined: it does not answer, or has not yet. */
  mac: Uint8Array | undefined;
  /** Heard of not long ago, or configured; otherwise it is worth asking anew. */
  fresh: boolean;
}

const NUD_FRESH = c.NUD_REACHABLE | c.NUD_NOARP | c.NUD_PERMANENT;
const NUD_VALID = NUD_FRESH | c.NUD_STALE | c.NUD_DELAY | c.NUD_PROBE;

/** The neighbour in RTM_NEWNEIGH data. */
export function parseNeighbour(data: Uint8Array): Neighbour {
  const state = need(data, 12).getUint16(8, LE);
  const mac = attributesAfter(data, 12).get(c.NDA_LLADDR);
  const valid = (state & NUD_VALID) !== 0 && mac?.length === 6;
  return { mac: valid ? mac.slice() : undefined, fresh: valid && (state & NUD_FRESH) !== 0 };
}

/** Frames received and sent (IFLA_STATS64) in RTM_NEWLINK data; undefined where there are no counters. */
export function parsePackets(data: Uint8Array): { rx: number; tx: number } | undefined {
  const stats = attributesAfter(data, 16).get(c.IFLA_STATS64);
  if (stats === undefined) return undefined;
  const view = need(stats, 16);
  return { rx: Number(view.getBigUint64(0, LE)), tx: Number(view.getBigUint64(8, LE)) };
}

/** One queueing discipline of a device. */
export interface Qdisc {
  ifindex: number;
  /** clsact, ingress, noqueue, fq_codel … */
  kind: string;
  /** major << 16 | minor. */
  handle: number;
  parent: number;
  /** Frames that wait in it; absent: the kernel does not say. */
  queued?: number;
  /** TCA_OPTIONS, raw; undefined: the kind has none. */
  options?: Uint8Array;
}

/** The qdisc in RTM_NEWQDISC data. */
export function parseQdisc(data: Uint8Array): Qdisc {
  const view = need(data, 20);
  const attributes = attributesAfter(data, 20);
  const kind = attributes.get(c.TCA_KIND);
  const options = attributes.get(c.TCA_OPTIONS);
  const stats = attributes.get(c.TCA_STATS2);
  const queue = stats && parseAttributes(stats).get(c.TCA_STATS_QUEUE);
  return {
    ifindex: view.getInt32(4, LE),
    kind: kind === undefined ? '' : readString(kind),
    handle: view.getUint32(8, LE),
    parent: view.getUint32(12, LE),
    ...(queue !== undefined && { queued: readU32(queue) }),
    ...(options !== undefined && { options: options.slice() }),
  };
}

/** One forwarding entry of a bridge. */
export interface BridgeEntry {
  address: string;
  /** The port behind which it is. */
  ifindex: number;
}

/** The entry in RTM_NEWNEIGH data of family AF_BRIDGE; undefined for those that `bridge` has not learnt. */
export function parseBridgeEntry(data: Uint8Array, bridge: number): BridgeEntry | undefined {
  const view = need(data, 12);
  const attrs = attributesAfter(data, 12);
  const [address, master] = [attrs.get(c.NDA_LLADDR), attrs.get(c.NDA_MASTER)];
  if (address === undefined || master === undefined || readU32(master) !== bridge) return undefined;
  // Permanent: a port's own address.
  if ((view.getUint16(8, LE) & c.NUD_PERMANENT) !== 0) return undefined;
  return { address: formatMac(address), ifindex: view.getInt32(4, LE) };
}

/** One MAC that a device lets in beside its own: an entry of its unicast or multicast list. */
export interface FilterEntry {
  ifindex: number;
  mac: Uint8Array;
}

/** The entry in RTM_NEWNEIGH data of family AF_BRIDGE; undefined for what a bridge has learnt. `mac` is a view. */
export function parseFilterEntry(data: Uint8Array): FilterEntry | undefined {
  const view = need(data, 12);
  if ((view.getUint8(10) & c.NTF_SELF) === 0) return undefined;
  const attrs = attributesAfter(data, 12);
  const mac = attrs.get(c.NDA_LLADDR);
  if (mac?.length !== 6 || attrs.has(c.NDA_MASTER)) return undefined;
  return { ifindex: view.getInt32(4, LE), mac };
}

/** VLAN ids of one port of a bridge. */
export interface VlanRange {
  first: number;
  last: number;
}

/** The ranges in RTM_NEWVLAN data. */
export function parseBridgeVlans(data: Uint8Array): VlanRange[] {
  const out: VlanRange[] = [];
  // struct br_vlan_msg has 8 bytes. Entries repeat, so they cannot be read into a map.
  for (const [type, entry] of listAttributes(data.subarray(8))) {
    if (type !== c.BRIDGE_VLANDB_ENTRY) continue;
    const attrs = parseAttributes(entry);
    const info = attrs.get(c.BRIDGE_VLANDB_ENTRY_INFO);
    if (info === undefined) continue;
    const first = need(info, 4).getUint16(2, LE);
    const last = attrs.get(c.BRIDGE_VLANDB_ENTRY_RANGE);
    out.push({ first, last: last ? readU16(last) : first });
  }
  return out;
}

/** One entry of a device's or a bridge's forwarding table. */
export interface ForwardingEntry {
  /** Six bytes as text. */
  mac: string;
  /** The port behind which the station is, or the device that lets the MAC in. */
  ifindex: number;
  /** The bridge whose entry it is; undefined: it stands in the device's own list of addresses. */
  bridge?: number;
  /** VLAN of a bridge that filters by VLAN. */
  vlan?: number;
  /** An address of this machine, not of a station. */
  permanent: boolean;
  /** Seconds since the station was last heard; 0 where the kernel does not say. */
  ageS: number;
}

/** The entry in RTM_NEWNEIGH data of family AF_BRIDGE; undefined for one that names no Ethernet address. */
export function parseForwardingEntry(data: Uint8Array): ForwardingEntry | undefined {
  const view = need(data, 12);
  const attrs = attributesAfter(data, 12);
  const [mac, bridge, vlan, times] = [c.NDA_LLADDR, c.NDA_MASTER, c.NDA_VLAN, c.NDA_CACHEINFO].map((type) =>
    attrs.get(type),
  );
  if (mac?.length !== 6) return undefined;
  return {
    mac: formatMac(mac),
    ifindex: view.getInt32(4, LE),
    ...(bridge !== undefined && { bridge: readU32(bridge) }),
    ...(vlan !== undefined && { vlan: need(vlan, 2).getUint16(0, LE) }),
    permanent: (view.getUint16(8, LE) & c.NUD_PERMANENT) !== 0,
    // struct nda_cacheinfo: confirmed, used, updated, refcnt, in hundredths of a second
    ageS: times === undefined ? 0 : need(times, 16).getUint32(8, LE) / 100,
  };
}

/** A bridge's port and the VLANs that leave it without a tag, from RTM_NEWLINK data of family AF_BRIDGE. */
export function parseUntaggedVlans(data: Uint8Array): { ifindex: number; untagged: Set<number> } {
  const { ifindex } = parseLinkHeader(data);
  const untagged = new Set<number>();
  const spec = attributesAfter(data, 16).get(c.IFLA_AF_SPEC);
  if (spec !== undefined)
    for (const [type, value] of listAttributes(spec)) {
      if (type !== c.IFLA_BRIDGE_VLAN_INFO) continue;
      const view = need(value, 4);
      if ((view.getUint16(0, LE) & c.BRIDGE_VLAN_INFO_UNTAGGED) !== 0) untagged.add(view.getUint16(2, LE));
    }
  return { ifindex, untagged };
}

/** Fixed headers of requests, as bytes for MessageBuilder.raw(). */
export function ifaddrmsg(family: number, prefix: number, ifindex: number): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[0] = family;
  bytes[1] = prefix;
  viewOf(bytes).setUint32(4, ifindex, LE);
  return bytes;
}

export function ifinfomsg(family: number): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = family;
  return bytes;
}

export function ndmsg(family: number, ifindex: number, state: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes[10] = flags;
  bytes[0] = family;
  viewOf(bytes).setInt32(4, ifindex, LE);
  viewOf(bytes).setUint16(8, state, LE);
  return bytes;
}

export function rtmsg(family: number, prefix: number, scope: number): Uint8Array {
  const [srcLen, tos] = [0, 0];
  const head = [family, prefix, srcLen, tos, c.RT_TABLE_MAIN, c.RTPROT_STATIC, scope, c.RTN_UNICAST];
  return Uint8Array.of(...head, 0, 0, 0, 0);
}

/** struct rtmsg that asks for the way to one address. */
export function rtmsgGet(family: number, prefix: number): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes[0] = family;
  bytes[1] = prefix;
  return bytes;
}

export function tcmsg(ifindex: number, handle = 0, parent = 0): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = viewOf(bytes);
  view.setInt32(4, ifindex, LE);
  view.setUint32(8, handle, LE);
  view.setUint32(12, parent, LE);
  return bytes;
}
