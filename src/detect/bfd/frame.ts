/**
 * Ethernet frames around BFD packets (RFC 5881 §4, §5): those of a session are built once and patched; what arrives is taken apart and
 * checked. Pure, and nothing allocates per frame.
 */
import { VfError } from '../../errors.js';
import {
  ACCEPTED,
  BFD_ECHO_PORT,
  BFD_PORT,
  BFD_SOURCE_PORT_MAX,
  BFD_SOURCE_PORT_MIN,
  BFD_TTL,
  DISCARD_FRAME,
  DISCARD_TTL,
} from './packet.js';

const ETH_HEADER = 14;
const VLAN_TAG = 4;
const UDP_HEADER = 8;
const IPPROTO_UDP = 17;
const TYPE_IPV4 = 0x0800;
const TYPE_VLAN = 0x8100;
const TYPE_IPV6 = 0x86dd;
/** Internetwork control: what routing protocols are sent with (RFC 2474 §4.2.2.2). */
const DSCP_CS6 = 0xc0;
/** Don't fragment. */
const DF = 0x4000;

/** The two ends of a session, as its frames have them. */
export interface BfdEndpoint {
  /** 6 bytes each. */
  localMac: Uint8Array;
  peerMac: Uint8Array;
  /** 4 or 16 bytes, both of one family. */
  local: Uint8Array;
  peer: Uint8Array;
  /** 802.1Q id, 1 to 4094; untagged by default. */
  vlan?: number | undefined;
  /** 49152 to 65535, one to a session (RFC 5881 §4). */
  sourcePort: number;
}

/** A frame whose headers are written: put the payload at `payload`, then `seal`, then send `bytes`. */
export class BfdFrame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where the UDP payload begins. */
  readonly payload: number;
  readonly #udp: number;
  /** Sum of the words that the UDP checksum covers besides the payload. */
  readonly #sum: number;

  /** For payloads of `length` bytes to `port`. Throws VfError CONFIG_INVALID for an endpoint that cannot be. */
  constructor(end: BfdEndpoint, length: number, port: number = BFD_PORT, check = true) {
    if (check) checkEndpoint(end);
    const tag = end.vlan === undefined ? 0 : VLAN_TAG;
    const ip = ETH_HEADER + tag;
    const v6 = end.local.length === 16;
    this.#udp = ip + (v6 ? 40 : 20);
    this.payload = this.#udp + UDP_HEADER;
    this.bytes = new Uint8Array(Math.max(this.payload + length, 60 + tag));
    this.view = new DataView(this.bytes.buffer);
    this.bytes.set(end.peerMac, 0);
    this.bytes.set(end.localMac, 6);
    if (end.vlan !== undefined) {
      this.view.setUint16(12, TYPE_VLAN);
      this.view.setUint16(14, end.vlan);
    }
    this.view.setUint16(12 + tag, v6 ? TYPE_IPV6 : TYPE_IPV4);
    const datagram = UDP_HEADER + length;
    if (v6) this.#ipv6(ip, end, datagram);
    else this.#ipv4(ip, end, datagram);
    this.view.setUint16(this.#udp, end.sourcePort);
    this.view.setUint16(this.#udp + 2, port);
    this.view.setUint16(this.#udp + 4, datagram);
    let sum = IPPROTO_UDP + datagram + end.sourcePort + port + datagram;
    for (const address of [end.local, end.peer])
      for (let i = 0; i < address.length; i += 2) sum += (address[i]! << 8) | address[i + 1]!;
    this.#sum = sum;
  }

  /** An echo packet: to our own address, by the peer, who forwards it (RFC 5881 §4). */
  static echo(end: BfdEndpoint, length: number): BfdFrame {
    checkEndpoint({ ...end, sourcePort: BFD_SOURCE_PORT_MIN });
    return new BfdFrame({ ...end, peer: end.local }, length, BFD_ECHO_PORT, false);
  }

  /** Writes the UDP checksum over the payload that now is there. */
  seal(): void {
    const end = this.#udp + this.view.getUint16(this.#udp + 4);
    let sum = this.#sum;
    let i = this.payload;
    for (; i + 1 < end; i += 2) sum += this.view.getUint16(i);
    if (i < end) sum += this.bytes[i]! << 8;
    const folded = fold(sum);
    // 0 would say that there is none (RFC 768).
    this.view.setUint16(this.#udp + 6, folded === 0 ? 0xffff : folded);
  }

  #ipv4(at: number, end: BfdEndpoint, datagram: number): void {
    const { view, bytes } = this;
    view.setUint8(at, 0x45);
    view.setUint8(at + 1, DSCP_CS6);
    view.setUint16(at + 2, 20 + datagram);
    view.setUint16(at + 6, DF);
    view.setUint8(at + 8, BFD_TTL);
    view.setUint8(at + 9, IPPROTO_UDP);
    bytes.set(end.local, at + 12);
    bytes.set(end.peer, at + 16);
    view.setUint16(at + 10, headerChecksum(view, at, 20));
  }

  #ipv6(at: number, end: BfdEndpoint, datagram: number): void {
    const { view, bytes } = this;
    view.setUint16(at, (6 << 12) | (DSCP_CS6 << 4));
    view.setUint16(at + 4, datagram);
    view.setUint8(at + 6, IPPROTO_UDP);
    view.setUint8(at + 7, BFD_TTL);
    bytes.set(end.local, at + 8);
    bytes.set(end.peer, at + 24);
  }
}

/** Words that `parseFrame` writes: offsets and lengths in bytes. */
export const R_PAYLOAD = 0;
export const R_LENGTH = 1;
export const R_SOURCE_PORT = 2;
export const R_PORT = 3;
/** Offset of the source address; the destination's follows it. */
export const R_ADDRESSES = 4;
/** 4 or 16. */
export const R_ADDRESS_BYTES = 5;
/** 802.1Q id; -1: untagged. */
export const R_VLAN = 6;
export const FRAME_WORDS = 7;

/** Not a BFD frame, and none of our business. */
export const NOT_BFD = -1;

/**
 * Finds the BFD payload of a frame of `length` bytes. Returns ACCEPTED, NOT_BFD, or DISCARD_FRAME (cut, a fragment, with IPv4 options
 * that leave no room), DISCARD_TTL (it may come from afar).
 *
 * The UDP checksum is not looked at: a frame that never was on a wire (a veth's, a tap's) has none yet.
 */
export function parseFrame(view: DataView, length: number, out: Int32Array): number {
  if (length < ETH_HEADER || length > view.byteLength) return NOT_BFD;
  let at = ETH_HEADER;
  let type = view.getUint16(12);
  out[R_VLAN] = -1;
  if (type === TYPE_VLAN) {
    if (length < ETH_HEADER + VLAN_TAG) return NOT_BFD;
    const id = view.getUint16(14) & 0xfff;
    out[R_VLAN] = id === 0 ? -1 : id; // 0: a priority only
    type = view.getUint16(16);
    at += VLAN_TAG;
  }
  if (type === TYPE_IPV4) return parseIpv4(view, at, length, out);
  if (type === TYPE_IPV6) return parseIpv6(view, at, length, out);
  return NOT_BFD;
}

function parseIpv4(view: DataView, at: number, length: number, out: Int32Array): number {
  if (length < at + 20 || view.getUint8(at) >> 4 !== 4 || view.getUint8(at + 9) !== IPPROTO_UDP)
    return NOT_BFD;
  const header = (view.getUint8(at) & 0xf) * 4;
  if (header < 20 || length < at + header + UDP_HEADER) return NOT_BFD;
  // More fragments, or not the first: the first one alone would have ports.
  const fragment = view.getUint16(at + 6) & 0x3fff;
  if ((fragment & 0x1fff) !== 0) return NOT_BFD;
  const total = view.getUint16(at + 2);
  out[R_ADDRESSES] = at + 12;
  out[R_ADDRESS_BYTES] = 4;
  const ports = parseUdp(view, at + header, Math.min(length, at + total), out);
  if (ports === NOT_BFD) return NOT_BFD;
  if (fragment !== 0 || at + total > length || headerChecksum(view, at, header) !== 0) return DISCARD_FRAME;
  return view.getUint8(at + 8) === BFD_TTL ? ports : DISCARD_TTL;
}

function parseIpv6(view: DataView, at: number, length: number, out: Int32Array): number {
  if (length < at + 40 + UDP_HEADER || view.getUint8(at) >> 4 !== 6 || view.getUint8(at + 6) !== IPPROTO_UDP)
    return NOT_BFD;
  const end = at + 40 + view.getUint16(at + 4);
  out[R_ADDRESSES] = at + 8;
  out[R_ADDRESS_BYTES] = 16;
  const ports = parseUdp(view, at + 40, Math.min(length, end), out);
  if (ports === NOT_BFD) return NOT_BFD;
  if (end > length) return DISCARD_FRAME;
  return view.getUint8(at + 7) === BFD_TTL ? ports : DISCARD_TTL;
}

function parseUdp(view: DataView, at: number, end: number, out: Int32Array): number {
  const port = view.getUint16(at + 2);
  if (port !== BFD_PORT && port !== BFD_ECHO_PORT) return NOT_BFD;
  const source = view.getUint16(at);
  const datagram = view.getUint16(at + 4);
  out[R_PAYLOAD] = at + UDP_HEADER;
  out[R_LENGTH] = datagram - UDP_HEADER;
  out[R_SOURCE_PORT] = source;
  out[R_PORT] = port;
  if (datagram < UDP_HEADER || at + datagram > end) return DISCARD_FRAME;
  // Any source port: RFC 5881 §4 binds the sender, and BIRD takes one of its kernel's range, 32768 to 60999 by default.
  return ACCEPTED;
}

/** Checksum of the IPv4 header with what stands in its field counted in: 0 verifies a finished one. */
function headerChecksum(view: DataView, at: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i += 2) sum += view.getUint16(at + i);
  return fold(sum);
}

function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

function checkEndpoint(end: BfdEndpoint): void {
  const bad = (key: string, value: unknown, want: string): VfError =>
    new VfError('CONFIG_INVALID', `detect.bfd.${key} is not ${want}`, {
      field: `detect.bfd.${key}`,
      value,
      fix: `set it to ${want}`,
    });
  const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
  for (const key of ['localMac', 'peerMac'] as const)
    if (end[key].length !== 6 || (end[key][0]! & 1) !== 0)
      throw bad(key, hex(end[key]), 'a unicast MAC address');
  for (const key of ['local', 'peer'] as const)
    if (!isUnicast(end[key])) throw bad(key, hex(end[key]), 'a unicast IPv4 or IPv6 address');
  if (end.local.length !== end.peer.length)
    throw bad('peer', hex(end.peer), 'an address of the family of local');
  if (hex(end.local) === hex(end.peer)) throw bad('peer', hex(end.peer), 'an address other than our own');
  if (end.vlan !== undefined && !inRange(end.vlan, 1, 4094))
    throw bad('vlan', end.vlan, 'an integer from 1 to 4094');
  if (!inRange(end.sourcePort, BFD_SOURCE_PORT_MIN, BFD_SOURCE_PORT_MAX))
    throw bad(
      'source_port',
      end.sourcePort,
      `an integer from ${BFD_SOURCE_PORT_MIN} to ${BFD_SOURCE_PORT_MAX}`,
    );
}

function inRange(n: number, min: number, max: number): boolean {
  return Number.isInteger(n) && n >= min && n <= max;
}

/** Neither unspecified, multicast, broadcast nor loopback. */
function isUnicast(address: Uint8Array): boolean {
  if (address.length === 4) return address[0] !== 0 && address[0] !== 127 && address[0]! < 224;
  if (address.length !== 16 || address[0] === 0xff) return false;
  return address.subarray(0, 15).some((b) => b !== 0);
}
