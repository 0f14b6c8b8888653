/** Messages of ICMP and ICMPv6 (RFC 792, RFC 4443). Pure. */
import { checksum } from './checksum.js';
import { ETH_HEADER, emptyFrame } from './ethernet.js';
import { IPV4_HEADER, pseudoSum, writeIpv4 } from './ip.js';
import { MAC_BYTES } from './mac.js';
import { ETHERTYPE, PROTOCOL } from './numbers.js';
import { VLAN_TAG } from './vlan.js';

export const ECHO_REQUEST = 8;
export const ECHO_REPLY = 0;
export const ECHO_REQUEST6 = 128;
export const ECHO_REPLY6 = 129;

/** Bytes of an echo request: eight of ICMP, the cookie, the sequence number, path and target. */
const ECHO_BYTES = 24;
const ECHO_AT = ETH_HEADER + IPV4_HEADER;
const NOWHERE = new Uint8Array(MAC_BYTES);

/**
 * Returns the checksum of an ICMPv6 message over its pseudo-header (RFC 4443 §2.3). What stands in the message's field counts: with zero
 * there it is the one to write, of a finished message it is 0.
 */
export function icmpv6Checksum(source: Uint8Array, target: Uint8Array, message: Uint8Array): number {
  const { length } = message;
  return checksum(message, 0, length, pseudoSum({ source, target, protocol: PROTOCOL.icmpv6, length }));
}

/** Writes the checksum of an ICMPv6 message, whose field is zero, into it. */
export function sealIcmpv6(source: Uint8Array, target: Uint8Array, message: Uint8Array): void {
  const sum = icmpv6Checksum(source, target, message);
  message[2] = sum >>> 8;
  message[3] = sum & 0xff;
}

export interface EchoSpec {
  mac: Uint8Array;
  source: Uint8Array;
  target: Uint8Array;
  /** 16 bits. */
  id: number;
  /** 8 bytes that nobody can guess. */
  cookie: Uint8Array;
  path: number;
  /** Number of the target. */
  index: number;
}

/** ICMP echo request of a probe, not to be fragmented. 60 bytes; `aimEcho` completes it. */
export function echoRequest(o: EchoSpec): Uint8Array {
  const header = { to: NOWHERE, from: o.mac, ethertype: ETHERTYPE.ipv4 };
  const bytes = emptyFrame(header, IPV4_HEADER + ECHO_BYTES);
  const { source, target } = o;
  writeIpv4(bytes, ETH_HEADER, { source, target, protocol: PROTOCOL.icmp, length: ECHO_BYTES, whole: true });
  bytes[ECHO_AT] = ECHO_REQUEST;
  bytes[ECHO_AT + 4] = o.id >>> 8;
  bytes[ECHO_AT + 5] = o.id & 0xff;
  bytes.set(o.cookie, ECHO_AT + 8);
  bytes[ECHO_AT + 20] = o.path;
  bytes[ECHO_AT + 21] = o.index;
  return bytes;
}

/** Writes the next hop and the sequence number into an echo request, which may have a tag. Allocates nothing. */
export function aimEcho(bytes: Uint8Array, seq: number, hop: Uint8Array, hopAt: number): void {
  const at = ECHO_AT + (bytes[12] === ETHERTYPE.vlan >>> 8 ? VLAN_TAG : 0);
  for (let i = 0; i < MAC_BYTES; i++) bytes[i] = hop[hopAt + i]!;
  bytes[at + 6] = (seq >>> 8) & 0xff;
  bytes[at + 7] = seq & 0xff;
  // As the programs read it: in the machine's order, which is little-endian wherever this runs.
  for (let i = 0; i < 4; i++) bytes[at + 16 + i] = (seq >>> (8 * i)) & 0xff;
  bytes[at + 2] = 0;
  bytes[at + 3] = 0;
  const sum = checksum(bytes, at, ECHO_BYTES);
  bytes[at + 2] = sum >>> 8;
  bytes[at + 3] = sum & 0xff;
}
