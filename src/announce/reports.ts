/**
 * Reports of multicast membership: switches that snoop follow a switch at once, and not at the querier's next query, 125 s apart by default.
 * Pure: bytes in, bytes out.
 */
import { ETHERTYPE, frame, icmpv6Checksum } from '../frames/announcements.js';

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

const ALL_IGMP3 = Uint8Array.of(224, 0, 0, 22);
/** ff02::16 */
const ALL_MLD2 = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16);

/** IGMPv3 reports (RFC 3376 4.2). */
export function igmp3Reports({ mac, source, groups }: ReportSpec): Uint8Array[] {
  return chunks(groups, RECORDS4).map((part) => {
    const message = new Uint8Array(8 + 8 * part.length);
    message[0] = 0x22;
    message[7] = part.length;
    for (const [i, group] of part.entries()) {
      message[8 + 8 * i] = MODE_IS_EXCLUDE;
      message.set(group, 12 + 8 * i);
    }
    return igmp(mac, source, ALL_IGMP3, message);
  });
}

/** IGMPv2 reports, one for each group, for a link whose querier speaks that or less (RFC 2236 2; version 1 takes them for its own). */
export function igmp2Reports({ mac, source, groups }: ReportSpec, version: number): Uint8Array[] {
  return groups.map((group) => {
    const message = new Uint8Array(8);
    message[0] = version === 1 ? 0x12 : 0x16;
    message.set(group, 4);
    return igmp(mac, source, group, message);
  });
}

/** MLDv2 reports (RFC 3810 5.2). */
export function mld2Reports({ mac, source, groups }: ReportSpec): Uint8Array[] {
  return chunks(groups, RECORDS6).map((part) => {
    const message = new Uint8Array(8 + 20 * part.length);
    message[0] = 143;
    message[7] = part.length;
    for (const [i, group] of part.entries()) {
      message[8 + 20 * i] = MODE_IS_EXCLUDE;
      message.set(group, 12 + 20 * i);
    }
    new DataView(message.buffer).setUint16(2, icmpv6Checksum(source, ALL_MLD2, message));
    const packet = new Uint8Array(48 + message.length);
    packet[0] = 6 << 4;
    new DataView(packet.buffer).setUint16(4, 8 + message.length);
    packet[7] = 1; // hop limit
    packet.set(source, 8);
    packet.set(ALL_MLD2, 24);
    // hop-by-hop: the next header is ICMPv6; router alert for MLD (RFC 2711)
    packet.set([58, 0, 5, 2, 0, 0, 1, 0], 40);
    packet.set(message, 48);
    return frame(Uint8Array.of(0x33, 0x33, 0, 0, 0, 0x16), mac, ETHERTYPE.ipv6, undefined, packet);
  });
}

/** IPv4 with the router alert option and TTL 1. */
function igmp(mac: Uint8Array, source: Uint8Array, to: Uint8Array, message: Uint8Array): Uint8Array {
  new DataView(message.buffer).setUint16(2, sum(message));
  const packet = new Uint8Array(24 + message.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x46;
  packet[1] = 0xc0; // internetwork control
  view.setUint16(2, packet.length);
  packet[6] = 0x40; // don't fragment
  packet[8] = 1;
  packet[9] = 2;
  packet.set(source, 12);
  packet.set(to, 16);
  packet.set([0x94, 4, 0, 0], 20);
  view.setUint16(10, sum(packet.subarray(0, 24)));
  packet.set(message, 24);
  const dst = Uint8Array.of(1, 0, 0x5e, to[1]! & 0x7f, to[2]!, to[3]!);
  return frame(dst, mac, ETHERTYPE.ipv4, undefined, packet);
}

/** The Internet checksum (RFC 1071) of an even number of bytes. */
function sum(bytes: Uint8Array): number {
  let s = 0;
  for (let i = 0; i < bytes.length; i += 2) s += (bytes[i]! << 8) | bytes[i + 1]!;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < list.length; i += size) parts.push(list.slice(i, i + size));
  return parts;
}
