/** Neighbour discovery (RFC 4861). Pure: bytes in, bytes out. */
import { frame } from './ethernet.js';
import { sealIcmpv6 } from './icmp.js';
import { HOPS_LINK, IPV6_HEADER, writeIpv6 } from './ip.js';
import { groupMac } from './mac.js';
import { ETHERTYPE, PROTOCOL } from './numbers.js';
import { cannotBe, checkLength } from './problems.js';
import type { VlanTag } from './vlan.js';

/** ff02::1, all nodes. */
const ALL_NODES = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const SOLICITATION = 135;
export const ND_ADVERT = 136;
const FLAG_ROUTER = 0x80;
const FLAG_OVERRIDE = 0x20;
const OPTION_SOURCE = 1;
const OPTION_TARGET = 2;

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

export interface SolicitationSpec {
  mac: Uint8Array;
  source: Uint8Array;
  target: Uint8Array;
}

/**
 * Unsolicited neighbour advertisement to all nodes, with the override flag and the target's link-layer address (RFC 4861 §4.4, §7.2.6).
 * The source is the target itself, as the kernel does it: right for global and link-local addresses alike. 86 bytes, 90 with a tag.
 * Throws VfError for a MAC, address or tag of the wrong size, and for a multicast or unspecified address.
 */
export function unsolicitedNeighbourAdvert({ mac, ip, router, vlan }: NeighbourSpec): Uint8Array {
  checkLength('mac', mac, 6);
  checkLength('ip', ip, 16);
  if (ip[0] === 0xff || ip.every((b) => b === 0))
    throw cannotBe('ip', 'an advertised address is unicast', ip);
  const message = about(ND_ADVERT, ip, OPTION_TARGET, mac);
  message[4] = FLAG_OVERRIDE | (router ? FLAG_ROUTER : 0);
  const header = { to: groupMac(ALL_NODES), from: mac, ethertype: ETHERTYPE.ipv6, vlan };
  return frame(header, packet(ip, ALL_NODES, message));
}

/**
 * Neighbour solicitation to the target's solicited-node group, with our link-layer address (RFC 4861 §4.3, §7.2.2). The source is an
 * address made up for the probe, so that the advertisement comes to it. 86 bytes.
 */
export function neighbourSolicitation({ mac, source, target }: SolicitationSpec): Uint8Array {
  const group = solicitedNode(target);
  const header = { to: groupMac(group), from: mac, ethertype: ETHERTYPE.ipv6 };
  return frame(header, packet(source, group, solicitation(mac, target)));
}

/** Returns the message of a solicitation, its checksum still zero. */
export const solicitation = (mac: Uint8Array, target: Uint8Array): Uint8Array =>
  about(SOLICITATION, target, OPTION_SOURCE, mac);

/** Returns the group in which neighbours ask for an IPv6 address (RFC 4291 §2.7.1). */
export function solicitedNode(ip: Uint8Array): Uint8Array {
  return Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ip[13]!, ip[14]!, ip[15]!);
}

/** A message about `target` with the link-layer address of its sender. */
function about(type: number, target: Uint8Array, option: number, mac: Uint8Array): Uint8Array {
  const message = new Uint8Array(32);
  message[0] = type;
  message.set(target, 8);
  message[24] = option;
  message[25] = 1; // of 8 bytes
  message.set(mac, 26);
  return message;
}

function packet(source: Uint8Array, target: Uint8Array, message: Uint8Array): Uint8Array {
  sealIcmpv6(source, target, message);
  const bytes = new Uint8Array(IPV6_HEADER + message.length);
  const header = { source, target, protocol: PROTOCOL.icmpv6, length: message.length, hops: HOPS_LINK };
  bytes.set(message, writeIpv6(bytes, 0, header));
  return bytes;
}
