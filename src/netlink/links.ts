/** Devices: what the kernel tells of them, and requests about them. Pure. */
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { formatMac, parseMac } from '../frames/mac.js';
import { ETHERTYPE } from '../frames/numbers.js';
import * as c from './constants.js';
import {
  attributesAfter,
  LE,
  MessageBuilder,
  malformed,
  need,
  parseAttributes,
  readBe16,
  readI32,
  readString,
  readU8,
  readU16,
  readU32,
} from './message.js';

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

/** Frames received and sent (IFLA_STATS64) in RTM_NEWLINK data; undefined where there are no counters. */
export function parsePackets(data: Uint8Array): { rx: number; tx: number } | undefined {
  const stats = attributesAfter(data, 16).get(c.IFLA_STATS64);
  if (stats === undefined) return undefined;
  const view = need(stats, 16);
  return { rx: Number(view.getBigUint64(0, LE)), tx: Number(view.getBigUint64(8, LE)) };
}

/** What setLink() changes; what is absent stays. */
export interface LinkChange {
  up?: boolean;
  mtu?: number;
  name?: string;
  address?: string;
  /** ifindex of a bridge or other upper device; 0 leaves it. */
  master?: number;
  /** IFLA_INET6_ADDR_GEN_MODE: 0 eui64, 1 none, 2 stable-privacy, 3 random. */
  addrGenMode?: number;
  /** Moves the device into this namespace, where it is down and may get another ifindex. */
  netnsFd?: number;
  promisc?: boolean;
  allmulti?: boolean;
  /** Frames. A change throws away what waits in the device's queueing discipline. */
  txQueueLength?: number;
}

const CHANGE = c.NLM_F_REQUEST | c.NLM_F_ACK;

/** Asks for all devices. */
export const linksRequest = (): MessageBuilder =>
  new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST | c.NLM_F_DUMP)
    .ifinfo(0)
    .u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS);

/** Asks for a device by ifindex or name (alternative names too). */
export function linkRequest(which: number | string): MessageBuilder {
  const request = new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST).ifinfo(
    typeof which === 'number' ? which : 0,
  );
  if (typeof which === 'string') {
    const long = Buffer.byteLength(which) > 15;
    request.string(long ? c.IFLA_ALT_IFNAME : c.IFLA_IFNAME, which);
  }
  return request.u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS);
}

/** Asks for a device with its counters. */
export const packetsRequest = (ifindex: number): MessageBuilder =>
  new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST).ifinfo(ifindex);

/** Asks to change a device. */
export function linkChange(ifindex: number, change: LinkChange): MessageBuilder {
  let [flags, mask] = [0, 0];
  const flag = (on: boolean | undefined, bit: number): void => {
    if (on === undefined) return;
    mask |= bit;
    if (on) flags |= bit;
  };
  flag(change.up, c.IFF_UP);
  flag(change.promisc, c.IFF_PROMISC);
  flag(change.allmulti, c.IFF_ALLMULTI);
  const { addrGenMode } = change;
  const request = new MessageBuilder(c.RTM_SETLINK, CHANGE).ifinfo(ifindex, flags, mask);
  if (change.mtu !== undefined) request.u32(c.IFLA_MTU, change.mtu);
  if (change.name !== undefined) request.string(c.IFLA_IFNAME, checkName(change.name, 'name'));
  if (change.address !== undefined) request.attr(c.IFLA_ADDRESS, parseMac(change.address));
  if (change.master !== undefined) request.u32(c.IFLA_MASTER, change.master);
  if (change.netnsFd !== undefined) request.u32(c.IFLA_NET_NS_FD, change.netnsFd);
  if (change.txQueueLength !== undefined) request.u32(c.IFLA_TXQLEN, change.txQueueLength);
  if (addrGenMode !== undefined) {
    request.nest(c.IFLA_AF_SPEC, (m) =>
      m.nest(c.AF_INET6, (n) => n.u8(c.IFLA_INET6_ADDR_GEN_MODE, addrGenMode)),
    );
  }
  return request;
}

/** Asks to remove a device. */
export const linkRemoval = (ifindex: number): MessageBuilder =>
  new MessageBuilder(c.RTM_DELLINK, CHANGE).ifinfo(ifindex);

/** Throws for what the kernel would not take as the name of a device. */
export function checkName(name: string, field: string): string {
  if (!/^(?!\.{1,2}$)[^\s/:%\0]+$/.test(name) || Buffer.byteLength(name) > 15) {
    const fix = 'use 1 to 15 bytes without white space, "/", ":" or "%"';
    throw new VfError('NETLINK', `not a device name: ${JSON.stringify(name)}`, { field, value: name, fix });
  }
  return name;
}
