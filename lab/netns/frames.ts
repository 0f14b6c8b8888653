import { parseMac } from '../../src/netlink/codec.js';

/** Ethernet frames that a lab sends itself, addresses given as text. */

const ETH_VLAN = 0x8100;
const ETH_IPV4 = 0x0800;
const ETH_IPV6 = 0x86dd;
export const PROTOCOL_ICMP = 1;
const PROTOCOL_UDP = 17;
export const PROTOCOL_ICMPV6 = 58;
/** Hops that a frame may take, where nothing prescribes another number. */
const HOPS = 64;

/** Who sends and who is meant. */
export interface Ends {
  mac: string;
  ip: string;
  toMac: string;
  toIp: string;
  /** Id of an 802.1Q tag. */
  vlan?: number;
}

export const macBytes = (mac: string): Buffer => Buffer.from(parseMac(mac));
export const macText = (bytes: Uint8Array): string =>
  Buffer.from(bytes).toString('hex').match(/../g)!.join(':');

/** Bytes of an IPv4 or IPv6 address. */
export function ipBytes(ip: string): Buffer {
  if (!ip.includes(':')) return Buffer.from(ip.split('.').map(Number));
  const [head, tail] = ip.split('::').map((part) => part.split(':').filter((word) => word !== ''));
  const words = tail ? [...head!, ...Array(8 - head!.length - tail.length).fill('0'), ...tail] : head!;
  const bytes = Buffer.alloc(16);
  words.forEach((word, i) => void bytes.writeUInt16BE(Number.parseInt(word, 16), 2 * i));
  return bytes;
}

/** MAC of an IPv4 or IPv6 group (RFC 1112, 6.4; RFC 2464, 7). */
export function groupMac(ip: string): string {
  const bytes = ipBytes(ip);
  if (bytes.length === 16) return macText(Buffer.concat([Buffer.from([0x33, 0x33]), bytes.subarray(12)]));
  return macText(Buffer.from([0x01, 0x00, 0x5e, bytes[1]! & 0x7f, bytes[2]!, bytes[3]!]));
}

/** Sum of RFC 1071 over all parts. Each but the last has an even length. */
export function checksum(...parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts)
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function ethernet({ mac, toMac, vlan }: Ends, type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(vlan === undefined ? 14 : 18);
  macBytes(toMac).copy(head, 0);
  macBytes(mac).copy(head, 6);
  if (vlan !== undefined) {
    head.writeUInt16BE(ETH_VLAN, 12);
    head.writeUInt16BE(vlan, 14);
  }
  head.writeUInt16BE(type, head.length - 2);
  return Buffer.concat([head, payload]);
}

export function ipv4(ends: Ends, protocol: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head[0] = 0x45;
  head.writeUInt16BE(20 + payload.length, 2);
  head[8] = HOPS;
  head[9] = protocol;
  ipBytes(ends.ip).copy(head, 12);
  ipBytes(ends.toIp).copy(head, 16);
  head.writeUInt16BE(checksum(head), 10);
  return ethernet(ends, ETH_IPV4, Buffer.concat([head, payload]));
}

export function ipv6(ends: Ends, protocol: number, payload: Buffer, hops = HOPS): Buffer {
  const head = Buffer.alloc(40);
  head[0] = 0x60;
  head.writeUInt16BE(payload.length, 4);
  head[6] = protocol;
  head[7] = hops;
  Buffer.concat([ipBytes(ends.ip), ipBytes(ends.toIp)]).copy(head, 8);
  return ethernet(ends, ETH_IPV6, Buffer.concat([head, payload]));
}

/** Sum over what IP lends to the checksum of ICMPv6 and UDP (RFC 8200, 8.1; RFC 768), and over the payload, whose own field is 0. */
export function transportChecksum({ ip, toIp }: Ends, protocol: number, payload: Buffer): number {
  const rest = Buffer.alloc(8);
  rest.writeUInt32BE(payload.length, 0);
  rest[7] = protocol;
  return checksum(ipBytes(ip), ipBytes(toIp), rest, payload);
}

/** A datagram from a port to the same port of the other end, of the family of its addresses. */
export function udp(ends: Ends, port: number, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(port, 0);
  head.writeUInt16BE(port, 2);
  head.writeUInt16BE(8 + data.length, 4);
  const payload = Buffer.concat([head, data]);
  // 0 would say that there is no checksum.
  payload.writeUInt16BE(transportChecksum(ends, PROTOCOL_UDP, payload) || 0xffff, 6);
  return (ends.toIp.includes(':') ? ipv6 : ipv4)(ends, PROTOCOL_UDP, payload);
}
