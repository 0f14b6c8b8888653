/**
 * Requests that active probes send, byte for byte. Pure. They are made once; of an echo request the sequence number and the next hop are
 * put in as it is sent.
 */

/** Least length of a frame without its check sequence (IEEE 802.3 §4A.4.2). */
const MIN_FRAME = 60;
const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;
const VLAN_TAG = 4;
const IPPROTO_ICMPV6 = 58;
const ND_NEIGHBOUR_SOLICIT = 135;
const ND_OPT_SOURCE_LINK_ADDR = 1;
const ICMP_ECHO = 8;
/** Bytes of an echo request: eight of ICMP, the cookie, the sequence number, path and target. */
const ECHO_AT = 34;
const ECHO_BYTES = 24;

function frame(length: number, dst: Uint8Array, src: Uint8Array, ethertype: number): [Uint8Array, DataView] {
  const bytes = new Uint8Array(Math.max(length, MIN_FRAME));
  const view = new DataView(bytes.buffer);
  bytes.set(dst, 0);
  bytes.set(src, 6);
  view.setUint16(12, ethertype);
  return [bytes, view];
}

/** The Internet checksum (RFC 1071) over an even number of bytes, `from` added in. Allocates nothing. */
export function checksum(bytes: Uint8Array, at: number, length: number, from = 0): number {
  let sum = from;
  for (let i = at; i < at + length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/**
 * ARP request, broadcast. With the sender's address 0.0.0.0 it is an ARP probe (RFC 5227 §2.1.1): it is answered and changes nobody's
 * cache. 60 bytes.
 */
export function arpRequest(o: { mac: Uint8Array; source: Uint8Array; target: Uint8Array }): Uint8Array {
  const [bytes, view] = frame(42, new Uint8Array(6).fill(0xff), o.mac, ETHERTYPE.arp);
  view.setUint16(14, 1); // Ethernet
  view.setUint16(16, ETHERTYPE.ipv4);
  bytes[18] = 6;
  bytes[19] = 4;
  view.setUint16(20, 1); // request
  bytes.set(o.mac, 22);
  bytes.set(o.source, 28);
  bytes.set(o.target, 38);
  return bytes;
}

/**
 * Neighbour solicitation to the target's solicited-node group, with our link-layer address (RFC 4861 §4.3, §7.2.2). The source is an
 * address made up for the probe, so that the advertisement comes to it. 86 bytes.
 */
export function neighbourSolicitation(o: {
  mac: Uint8Array;
  source: Uint8Array;
  target: Uint8Array;
}): Uint8Array {
  const tail = o.target.subarray(13);
  const dst = Uint8Array.of(0x33, 0x33, 0xff, tail[0]!, tail[1]!, tail[2]!);
  const [bytes, view] = frame(86, dst, o.mac, ETHERTYPE.ipv6);
  bytes[14] = 6 << 4;
  view.setUint16(18, 32);
  bytes[20] = IPPROTO_ICMPV6;
  bytes[21] = 255;
  bytes.set(o.source, 22);
  bytes.set([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff], 38); // ff02::1:ff00:0/104
  bytes.set(tail, 51);
  bytes[54] = ND_NEIGHBOUR_SOLICIT;
  bytes.set(o.target, 62);
  bytes[78] = ND_OPT_SOURCE_LINK_ADDR;
  bytes[79] = 1; // of 8 bytes
  bytes.set(o.mac, 80);
  // Pseudo-header: both addresses, the length, the protocol (RFC 8200 §8.1).
  view.setUint16(56, checksum(bytes, 22, 64, 32 + IPPROTO_ICMPV6));
  return bytes;
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

/** ICMP echo request (RFC 792), not to be fragmented. 60 bytes; `aimEcho` completes it. */
export function echoRequest(o: EchoSpec): Uint8Array {
  const [bytes, view] = frame(ECHO_AT + ECHO_BYTES, new Uint8Array(6), o.mac, ETHERTYPE.ipv4);
  bytes[14] = 0x45;
  view.setUint16(16, 20 + ECHO_BYTES);
  view.setUint16(20, 0x4000); // don't fragment
  bytes[22] = 64;
  bytes[23] = 1;
  bytes.set(o.source, 26);
  bytes.set(o.target, 30);
  view.setUint16(24, checksum(bytes, 14, 20));
  bytes[ECHO_AT] = ICMP_ECHO;
  view.setUint16(ECHO_AT + 4, o.id);
  bytes.set(o.cookie, ECHO_AT + 8);
  bytes[ECHO_AT + 20] = o.path;
  bytes[ECHO_AT + 21] = o.index;
  return bytes;
}

/** A frame with an 802.1Q tag: four bytes after the addresses. `vlan` 0 leaves it as it is. */
export function tagged(bytes: Uint8Array, vlan: number): Uint8Array {
  if (vlan === 0) return bytes;
  const out = new Uint8Array(bytes.length + VLAN_TAG);
  out.set(bytes.subarray(0, 12));
  out.set([ETHERTYPE.vlan >>> 8, ETHERTYPE.vlan & 0xff, vlan >>> 8, vlan & 0xff], 12);
  out.set(bytes.subarray(12), 12 + VLAN_TAG);
  return out;
}

/** Writes the next hop and the sequence number into an echo request, which may have a tag. Allocates nothing. */
export function aimEcho(bytes: Uint8Array, seq: number, hop: Uint8Array, hopAt: number): void {
  const at = ECHO_AT + (bytes[12] === ETHERTYPE.vlan >>> 8 ? VLAN_TAG : 0);
  for (let i = 0; i < 6; i++) bytes[i] = hop[hopAt + i]!;
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
