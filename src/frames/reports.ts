/**
 * Reports of multicast membership, by IGMP and MLD: switches that snoop follow a switch at once, and not at the querier's next query, 125 s
 * apart by default. Pure: bytes in, bytes out.
 */
import { checksum } from './checksum.js';
import { frame } from './ethernet.js';
import { sealIcmpv6 } from './icmp.js';
import { DSCP_CS6, IPV4_HEADER, IPV6_HEADER, writeIpv4, writeIpv6 } from './ip.js';
import { groupMac } from './mac.js';
import { ETHERTYPE, PROTOCOL } from './numbers.js';

export interface ReportSpec {
  /** 6 bytes. */
  mac: Uint8Array;
  /** Of the device: 4 bytes; for MLD 16, link-local. All zero where it has none. */
  source: Uint8Array;
  /** Multicast addresses. */
  groups: readonly Uint8Array[];
}

/** Records in a report, so that it fits the least MTU of its protocol that Ethernet meets (1280). */
const RECORDS4 = 150;
const RECORDS6 = 60;
/** "Everything from everybody": what was filtered by source is filtered again at the next query (RFC 3376 4.2.12). */
const MODE_IS_EXCLUDE = 2;
const MESSAGE_HEADER = 8;
const IGMP1_REPORT = 0x12;
const IGMP2_REPORT = 0x16;
const IGMP3_REPORT = 0x22;
const MLD2_REPORT = 143;

const ALL_IGMP3 = Uint8Array.of(224, 0, 0, 22);
/** ff02::16 */
const ALL_MLD2 = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16);
/** Router alert: option of IPv4 (RFC 2113). */
const ROUTER_ALERT = Uint8Array.of(0x94, 4, 0, 0);
/** Hop-by-hop header of IPv6: ICMPv6 follows, router alert for MLD (RFC 2711), two bytes of padding. */
const ROUTER_ALERT6 = Uint8Array.of(PROTOCOL.icmpv6, 0, 5, 2, 0, 0, 1, 0);
const HOP_BY_HOP = 0;

/** IGMPv3 reports (RFC 3376 4.2). */
export function igmp3Reports({ mac, source, groups }: ReportSpec): Uint8Array[] {
  return chunks(groups, RECORDS4).map((part) => igmp(mac, source, ALL_IGMP3, records(IGMP3_REPORT, part, 4)));
}

/** IGMPv2 reports, one for each group, for a link whose querier speaks that or less (RFC 2236 2; version 1 takes them for its own). */
export function igmp2Reports({ mac, source, groups }: ReportSpec, version: number): Uint8Array[] {
  return groups.map((group) => {
    const message = new Uint8Array(MESSAGE_HEADER);
    message[0] = version === 1 ? IGMP1_REPORT : IGMP2_REPORT;
    message.set(group, 4);
    return igmp(mac, source, group, message);
  });
}

/** MLDv2 reports (RFC 3810 5.2). */
export function mld2Reports({ mac, source, groups }: ReportSpec): Uint8Array[] {
  return chunks(groups, RECORDS6).map((part) => {
    const message = records(MLD2_REPORT, part, 16);
    sealIcmpv6(source, ALL_MLD2, message);
    const length = ROUTER_ALERT6.length + message.length;
    const packet = new Uint8Array(IPV6_HEADER + length);
    const header = { source, target: ALL_MLD2, protocol: HOP_BY_HOP, length, hops: 1 };
    const at = writeIpv6(packet, 0, header);
    packet.set(ROUTER_ALERT6, at);
    packet.set(message, at + ROUTER_ALERT6.length);
    return frame({ to: groupMac(ALL_MLD2), from: mac, ethertype: ETHERTYPE.ipv6 }, packet);
  });
}

/** A report with a record for each group: its mode, no sources, the group. */
function records(type: number, groups: readonly Uint8Array[], addressBytes: 4 | 16): Uint8Array {
  const size = 4 + addressBytes;
  const message = new Uint8Array(MESSAGE_HEADER + size * groups.length);
  message[0] = type;
  message[7] = groups.length;
  for (const [i, group] of groups.entries()) {
    const at = MESSAGE_HEADER + size * i;
    message[at] = MODE_IS_EXCLUDE;
    message.set(group, at + 4);
  }
  return message;
}

/** IPv4 with the router alert option and one hop. */
function igmp(mac: Uint8Array, source: Uint8Array, to: Uint8Array, message: Uint8Array): Uint8Array {
  new DataView(message.buffer).setUint16(2, checksum(message));
  const packet = new Uint8Array(IPV4_HEADER + ROUTER_ALERT.length + message.length);
  const at = writeIpv4(packet, 0, {
    source,
    target: to,
    protocol: PROTOCOL.igmp,
    length: message.length,
    hops: 1,
    tos: DSCP_CS6,
    whole: true,
    options: ROUTER_ALERT,
  });
  packet.set(message, at);
  return frame({ to: groupMac(to), from: mac, ethertype: ETHERTYPE.ipv4 }, packet);
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < list.length; i += size) parts.push(list.slice(i, i + size));
  return parts;
}
