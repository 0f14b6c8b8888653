/** Frames that tell switches and neighbours where an address lives now. Pure: bytes in, bytes out. */
import { VfError } from '../errors.js';

/** 802.1Q tag. */
export interface VlanTag {
  /** VLAN id, 0 to 4094; 0 carries a priority only. */
  id: number;
  /** Priority code point, 0 to 7; 0 by default. */
  priority?: number;
}

export interface ArpSpec {
  /** 6 bytes. */
  mac: Uint8Array;
  /** 4 bytes. */
  ip: Uint8Array;
  vlan?: VlanTag | undefined;
}

export interface NeighbourSpec {
  /** 6 bytes. */
  mac: Uint8Array;
  /** 16 bytes, unicast. */
  ip: Uint8Array;
  /**
   * RFC 4861 §4.4: the sender is a router. To be truthful: neighbours that see it fall from 1 to 0 drop the sender from their list of
   * default routers (§7.2.5).
   */
  router: boolean;
  vlan?: VlanTag | undefined;
}

export interface RarpSpec {
  /** 6 bytes. */
  mac: Uint8Array;
  vlan?: VlanTag | undefined;
}

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, rarp: 0x8035, vlan: 0x8100, ipv6: 0x86dd } as const;
const ETH_HEADER = 14;
const VLAN_TAG = 4;
/** Least length of a frame without its check sequence (IEEE 802.3 §4A.4.2), before a tag: removing one must not make a runt. */
const MIN_FRAME = 60;
const BROADCAST = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

const IPPROTO_ICMPV6 = 58;
/** ff02::1, all nodes, and the group's Ethernet address (RFC 2464 §7). */
const ALL_NODES = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);
const ND_NEIGHBOUR_ADVERT = 136;
const NA_ROUTER = 0x80;
const NA_OVERRIDE = 0x20;
const ND_OPT_TARGET_LINK_ADDR = 2;

/**
 * ARP announcement, also known as gratuitous ARP: a broadcast request whose sender and target both are the address (RFC 5227 §2.3,
 * format of RFC 826). A request, since every implementation updates an existing entry from one; the target hardware address is zero.
 * 60 bytes, 64 with a tag. Throws VfError for a MAC, address or tag of the wrong size.
 */
export function gratuitousArp({ mac, ip, vlan }: ArpSpec): Uint8Array {
  check('mac', mac, 6);
  check('ip', ip, 4);
  return frame(BROADCAST, mac, ETHERTYPE.arp, vlan, arpBody(1, mac, ip, new Uint8Array(6), ip));
}

/**
 * Reverse ARP request for the own MAC (RFC 903), byte for byte what QEMU's announce-self broadcasts: it names no IP address, yet every
 * switch on its way learns the port. 60 bytes, 64 with a tag. Throws VfError for a MAC or tag of the wrong size.
 */
export function rarpAnnouncement({ mac, vlan }: RarpSpec): Uint8Array {
  check('mac', mac, 6);
  const unknown = new Uint8Array(4);
  return frame(BROADCAST, mac, ETHERTYPE.rarp, vlan, arpBody(3, mac, unknown, mac, unknown));
}

/** First half of the destination of `moveFrame`: locally administered, unicast. The programs know it (bpf/receive.bpf.h). */
const NOBODY = Uint8Array.of(0x06, 0x76, 0x66, 0, 0, 0);
/** The half that is random in each frame that is sent. */
export const MOVE_FRESH = { at: 3, bytes: 3 } as const;

/**
 * A frame to nobody whose source is the MAC: whatever switch floods it has to look at it, and learns where the MAC is now. Open vSwitch
 * (NORMAL) handles a frame that repeats an earlier one in its cache, for 10 s, and does not learn from it: so each frame that is sent
 * needs a destination of its own (`MOVE_FRESH`). It is a RARP request like the announcement: what lets that through lets this through.
 * 60 bytes, 64 with a tag. Throws VfError for a MAC or tag of the wrong size.
 */
export function moveFrame({ mac, vlan }: RarpSpec): Uint8Array {
  check('mac', mac, 6);
  const unknown = new Uint8Array(4);
  return frame(NOBODY, mac, ETHERTYPE.rarp, vlan, arpBody(3, mac, unknown, mac, unknown));
}

/**
 * Unsolicited neighbour advertisement to all nodes, with the override flag and the target's link-layer address (RFC 4861 §4.4, §7.2.6).
 * The source is the target itself, as the kernel does it: right for global and link-local addresses alike. 86 bytes, 90 with a tag.
 * Throws VfError for a MAC, address or tag of the wrong size, and for a multicast or unspecified address.
 */
export function unsolicitedNeighbourAdvert({ mac, ip, router, vlan }: NeighbourSpec): Uint8Array {
  check('mac', mac, 6);
  check('ip', ip, 16);
  if (ip[0] === 0xff || ip.every((b) => b === 0)) throw invalid('ip', 'an advertised address is unicast', ip);
  const icmp = new Uint8Array(32);
  icmp[0] = ND_NEIGHBOUR_ADVERT;
  icmp[4] = NA_OVERRIDE | (router ? NA_ROUTER : 0);
  icmp.set(ip, 8);
  icmp[24] = ND_OPT_TARGET_LINK_ADDR;
  icmp[25] = 1; // of 8 bytes
  icmp.set(mac, 26);
  new DataView(icmp.buffer).setUint16(2, icmpv6Checksum(ip, ALL_NODES, icmp));

  const packet = new Uint8Array(40 + icmp.length);
  packet[0] = 6 << 4;
  packet[5] = icmp.length;
  packet[6] = IPPROTO_ICMPV6;
  packet[7] = 255; // receivers refuse less: it proves that no router forwarded it (§7.1.2)
  packet.set(ip, 8);
  packet.set(ALL_NODES, 24);
  packet.set(icmp, 40);
  return frame(ALL_NODES_MAC, mac, ETHERTYPE.ipv6, vlan, packet);
}

/**
 * Checksum of an ICMPv6 message over its pseudo-header (RFC 4443 §2.3, RFC 8200 §8.1), with what stands in the message's checksum field
 * counted in: give a message with zero there to make one, a finished message to verify it (0 is right).
 */
export function icmpv6Checksum(src: Uint8Array, dst: Uint8Array, message: Uint8Array): number {
  let sum = message.length + IPPROTO_ICMPV6;
  for (const part of [src, dst, message]) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** ARP and RARP for IPv4 over Ethernet (RFC 826). */
function arpBody(
  opcode: number,
  senderMac: Uint8Array,
  senderIp: Uint8Array,
  targetMac: Uint8Array,
  targetIp: Uint8Array,
): Uint8Array {
  const body = new Uint8Array(28);
  const view = new DataView(body.buffer);
  view.setUint16(0, 1); // Ethernet
  view.setUint16(2, ETHERTYPE.ipv4);
  body[4] = 6;
  body[5] = 4;
  view.setUint16(6, opcode);
  body.set(senderMac, 8);
  body.set(senderIp, 14);
  body.set(targetMac, 18);
  body.set(targetIp, 24);
  return body;
}

/** An Ethernet frame, padded to its least length. */
export function frame(
  dst: Uint8Array,
  src: Uint8Array,
  ethertype: number,
  vlan: VlanTag | undefined,
  payload: Uint8Array,
): Uint8Array {
  const tag = vlan === undefined ? 0 : VLAN_TAG;
  const bytes = new Uint8Array(Math.max(ETH_HEADER + payload.length, MIN_FRAME) + tag);
  const view = new DataView(bytes.buffer);
  bytes.set(dst, 0);
  bytes.set(src, 6);
  if (vlan !== undefined) {
    view.setUint16(12, ETHERTYPE.vlan);
    view.setUint16(14, tagControl(vlan));
  }
  view.setUint16(12 + tag, ethertype);
  bytes.set(payload, ETH_HEADER + tag);
  return bytes;
}

/** Tag control information (IEEE 802.1Q §9.6): priority, drop eligible (0), VLAN id. */
function tagControl({ id, priority = 0 }: VlanTag): number {
  const inRange = (n: number, max: number): boolean => Number.isInteger(n) && n >= 0 && n <= max;
  if (!inRange(id, 4094)) throw invalid('vlan.id', 'a VLAN id is an integer from 0 to 4094', id);
  if (!inRange(priority, 7)) throw invalid('vlan.priority', 'a priority is an integer from 0 to 7', priority);
  return (priority << 13) | id;
}

function check(field: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length)
    throw invalid(field, `${field} has ${bytes.length} bytes instead of ${length}`, bytes);
}

function invalid(field: string, message: string, value: Uint8Array | number): VfError {
  const shown = typeof value === 'number' ? value : Buffer.from(value).toString('hex');
  return new VfError('INTERNAL', `cannot make an announcement: ${message}`, { field, value: shown });
}
