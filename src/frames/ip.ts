/** Headers of IPv4 and IPv6. Pure. */
import { addWords, checksum } from './checksum.js';

export const IPV4_HEADER = 20;
export const IPV6_HEADER = 40;
/** Hops of a packet that nothing prescribes a number for. */
export const HOPS = 64;
/** Hops that prove that no router forwarded a packet (RFC 4861 §7.1.2, RFC 5082). */
export const HOPS_LINK = 255;
/** Internetwork control: what routing protocols are sent with (RFC 2474 §4.2.2.2). */
export const DSCP_CS6 = 0xc0;
const DONT_FRAGMENT = 0x4000;

export interface IpHeader {
  /** 4 or 16 bytes each, both of one family. */
  source: Uint8Array;
  target: Uint8Array;
  /** Number of what follows. */
  protocol: number;
  /** Bytes that follow the header. */
  length: number;
  /** HOPS by default. */
  hops?: number;
  /** Type of service, or traffic class; 0 by default. */
  tos?: number;
}

export interface Ipv4Header extends IpHeader {
  /** Forbids to fragment the packet; false by default. */
  whole?: boolean;
  /** Options, of a length that 4 divides. */
  options?: Uint8Array;
}

/** Writes a header of IPv4 at `at` and returns where it ends. */
export function writeIpv4(bytes: Uint8Array, at: number, header: Ipv4Header): number {
  const { options = new Uint8Array(0), whole = false, hops = HOPS, tos = 0 } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const size = IPV4_HEADER + options.length;
  bytes[at] = (4 << 4) | (size >>> 2);
  bytes[at + 1] = tos;
  view.setUint16(at + 2, size + header.length);
  view.setUint16(at + 6, whole ? DONT_FRAGMENT : 0);
  bytes[at + 8] = hops;
  bytes[at + 9] = header.protocol;
  bytes.set(header.source, at + 12);
  bytes.set(header.target, at + 16);
  bytes.set(options, at + IPV4_HEADER);
  view.setUint16(at + 10, checksum(bytes, at, size));
  return at + size;
}

/** Writes a header of IPv6 at `at` and returns where it ends. */
export function writeIpv6(bytes: Uint8Array, at: number, header: IpHeader): number {
  const { hops = HOPS, tos = 0 } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(at, (6 << 12) | (tos << 4));
  view.setUint16(at + 4, header.length);
  bytes[at + 6] = header.protocol;
  bytes[at + 7] = hops;
  bytes.set(header.source, at + 8);
  bytes.set(header.target, at + 24);
  return at + IPV6_HEADER;
}

/** Returns the sum that a header lends to the checksum of what it carries (RFC 768, RFC 8200 §8.1). */
export function pseudoSum({
  source,
  target,
  protocol,
  length,
}: Pick<IpHeader, 'source' | 'target' | 'protocol' | 'length'>): number {
  return addWords(target, 0, target.length, addWords(source, 0, source.length, protocol + length));
}
