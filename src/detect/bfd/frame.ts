/**
 * Ethernet frames around BFD packets (RFC 5881 §4, §5): those of a session are built once and patched; what arrives is taken apart and
 * checked. Pure. Nothing that is sent allocates.
 */
import { VfError } from '../../errors.js';
import { checksum } from '../../frames/checksum.js';
import { ETH_HEADER, emptyFrame, payloadAt } from '../../frames/ethernet.js';
import { DSCP_CS6, IPV4_HEADER, IPV6_HEADER, writeIpv4, writeIpv6 } from '../../frames/ip.js';
import { ETHERTYPE, PROTOCOL } from '../../frames/numbers.js';
import { UDP_HEADER, udpChecksum, udpSum, writeUdp } from '../../frames/udp.js';
import { VLAN_ID_MASK, VLAN_TAG } from '../../frames/vlan.js';
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
    const v6 = end.local.length === 16;
    const vlan = end.vlan === undefined ? undefined : { id: end.vlan };
    const ethertype = v6 ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4;
    const datagram = UDP_HEADER + length;
    this.bytes = emptyFrame(
      { to: end.peerMac, from: end.localMac, ethertype, vlan },
      (v6 ? IPV6_HEADER : IPV4_HEADER) + datagram,
    );
    this.view = new DataView(this.bytes.buffer);
    const ends = { source: end.local, target: end.peer };
    const ip = { ...ends, protocol: PROTOCOL.udp, length: datagram, hops: BFD_TTL, tos: DSCP_CS6 };
    const at = payloadAt({ vlan });
    this.#udp = v6 ? writeIpv6(this.bytes, at, ip) : writeIpv4(this.bytes, at, { ...ip, whole: true });
    const udp = { ...ends, sourcePort: end.sourcePort, port };
    this.payload = writeUdp(this.bytes, this.#udp, udp, length);
    this.#sum = udpSum(udp, length);
  }

  /** An echo packet: to our own address, by the peer, who forwards it (RFC 5881 §4). */
  static echo(end: BfdEndpoint, length: number): BfdFrame {
    checkEndpoint({ ...end, sourcePort: BFD_SOURCE_PORT_MIN });
    return new BfdFrame({ ...end, peer: end.local }, length, BFD_ECHO_PORT, false);
  }

  /** Writes the UDP checksum over the payload that now is there. */
  seal(): void {
    const length = this.view.getUint16(this.#udp + 4) - UDP_HEADER;
    this.view.setUint16(this.#udp + 6, udpChecksum(this.bytes, this.payload, length, this.#sum));
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
  if (type === ETHERTYPE.vlan) {
    if (length < ETH_HEADER + VLAN_TAG) return NOT_BFD;
    const id = view.getUint16(14) & VLAN_ID_MASK;
    out[R_VLAN] = id === 0 ? -1 : id; // 0: a priority only
    type = view.getUint16(16);
    at += VLAN_TAG;
  }
  if (type === ETHERTYPE.ipv4) return parseIpv4(view, at, length, out);
  if (type === ETHERTYPE.ipv6) return parseIpv6(view, at, length, out);
  return NOT_BFD;
}

function parseIpv4(view: DataView, at: number, length: number, out: Int32Array): number {
  if (length < at + 20 || view.getUint8(at) >> 4 !== 4 || view.getUint8(at + 9) !== PROTOCOL.udp)
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
  if (fragment !== 0 || at + total > length || checksum(bytesOf(view, at, header)) !== 0)
    return DISCARD_FRAME;
  return view.getUint8(at + 8) === BFD_TTL ? ports : DISCARD_TTL;
}

function parseIpv6(view: DataView, at: number, length: number, out: Int32Array): number {
  if (length < at + 40 + UDP_HEADER || view.getUint8(at) >> 4 !== 6 || view.getUint8(at + 6) !== PROTOCOL.udp)
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

/** A view of some bytes. */
const bytesOf = (view: DataView, at: number, length: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + at, length);

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

/** The error of a key that the configuration has. */
const refused = (key: 'peer_mac' | 'local' | 'peer' | 'vlan', value: unknown, want: string): VfError =>
  new VfError('CONFIG_INVALID', `detect.bfd.${key} is not ${want}`, {
    field: `detect.bfd.${key}`,
    value,
    fix: `set it to ${want}`,
  });

/** The error of a value that we give ourselves. */
const defect = (field: keyof BfdEndpoint, value: unknown, want: string): VfError =>
  new VfError('INTERNAL', `the ${field} of a BFD frame is not ${want}`, { field, value });

function checkEndpoint(end: BfdEndpoint): void {
  if (!isStation(end.localMac)) throw defect('localMac', hex(end.localMac), 'a unicast MAC address');
  if (!isStation(end.peerMac)) throw refused('peer_mac', hex(end.peerMac), 'a unicast MAC address');
  for (const key of ['local', 'peer'] as const)
    if (!isUnicast(end[key])) throw refused(key, hex(end[key]), 'a unicast IPv4 or IPv6 address');
  if (end.local.length !== end.peer.length)
    throw refused('peer', hex(end.peer), 'an address of the family of local');
  if (hex(end.local) === hex(end.peer)) throw refused('peer', hex(end.peer), 'an address other than our own');
  if (end.vlan !== undefined && !inRange(end.vlan, 1, 4094))
    throw refused('vlan', end.vlan, 'an integer from 1 to 4094');
  const [min, max] = [BFD_SOURCE_PORT_MIN, BFD_SOURCE_PORT_MAX];
  if (!inRange(end.sourcePort, min, max))
    throw defect('sourcePort', end.sourcePort, `an integer from ${min} to ${max}`);
}

const isStation = (mac: Uint8Array): boolean => mac.length === 6 && (mac[0]! & 1) === 0;

function inRange(n: number, min: number, max: number): boolean {
  return Number.isInteger(n) && n >= min && n <= max;
}

/** Neither unspecified, multicast, broadcast nor loopback. */
function isUnicast(address: Uint8Array): boolean {
  if (address.length === 4) return address[0] !== 0 && address[0] !== 127 && address[0]! < 224;
  if (address.length !== 16 || address[0] === 0xff) return false;
  return address.subarray(0, 15).some((b) => b !== 0);
}
