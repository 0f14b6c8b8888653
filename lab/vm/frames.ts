import {
  checksum,
  type Ends,
  ethernet,
  groupMac,
  ipBytes,
  ipv4,
  ipv6,
  macBytes,
  macText,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  transportChecksum,
} from '../netns/frames.js';

/** Ethernet frames that a station of a wire asks with, and what it understands of the answers. Addresses are given as text. */

const ETH_ARP = 0x0806;
const ETH_IPV4 = 0x0800;
const ETH_IPV6 = 0x86dd;
const ETH_VLAN = 0x8100;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

/** The group in which the neighbours ask for an IPv6 address (RFC 4291, 2.7.1). */
export function solicitedNode(ip: string): string {
  const [a, b, c] = ipBytes(ip).subarray(13) as unknown as [number, number, number];
  return `ff02::1:ff${a.toString(16).padStart(2, '0')}:${((b << 8) | c).toString(16)}`;
}

/** A request for `toIp`: to everybody, or to `toMac` as somebody asks who knows the address already. */
export function arpRequest(ends: Omit<Ends, 'toMac'> & { toMac?: string }): Buffer {
  const { mac, ip, toIp, toMac = BROADCAST } = ends;
  // Ethernet, IPv4, lengths of their addresses, request.
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]);
  const asked = Buffer.alloc(6);
  return ethernet(
    { ...ends, toMac },
    ETH_ARP,
    Buffer.concat([head, macBytes(mac), ipBytes(ip), asked, ipBytes(toIp)]),
  );
}

function icmpv6(ends: Ends, payload: Buffer, hops?: number): Buffer {
  payload.writeUInt16BE(transportChecksum(ends, PROTOCOL_ICMPV6, payload), 2);
  return ipv6(ends, PROTOCOL_ICMPV6, payload, hops);
}

/** An echo request with that number, to a station or to a group. */
export function echoRequest(ends: Ends, number: number): Buffer {
  const v6 = ends.toIp.includes(':');
  const payload = Buffer.alloc(40);
  payload[0] = v6 ? 128 : 8;
  payload.writeUInt16BE(0x7666, 4);
  payload.writeUInt16BE(number, 6);
  if (v6) return icmpv6(ends, payload);
  payload.writeUInt16BE(checksum(payload), 2);
  return ipv4(ends, PROTOCOL_ICMP, payload);
}

/** A neighbour solicitation for `target` (RFC 4861, 4.3): to its group, or to `toMac` and the address itself. */
export function solicitation(
  ends: Omit<Ends, 'toMac' | 'toIp'> & { toMac?: string },
  target: string,
): Buffer {
  const group = solicitedNode(target);
  const [toMac, toIp] = ends.toMac === undefined ? [groupMac(group), group] : [ends.toMac, target];
  // The option is the source link-layer address, in units of 8 bytes.
  const head = Buffer.from([135, 0, 0, 0, 0, 0, 0, 0]);
  const payload = Buffer.concat([head, ipBytes(target), Buffer.from([1, 1]), macBytes(ends.mac)]);
  return icmpv6({ ...ends, toMac, toIp }, payload, 255);
}

/** What a frame is, as far as an asker has to know. */
export interface Heard {
  from: string;
  to: string;
  vlan: number | undefined;
  kind: 'arp-reply' | 'echo-reply' | 'advertisement' | 'other';
  /** Address that is answered for: the sender's of ARP and of an echo reply, the target of an advertisement, in hex. */
  answersFor: string;
  /** Number of the echo request. */
  number: number | undefined;
}

/** Reads a frame; true fields alone are filled. */
export function read(frame: Buffer): Heard {
  const tagged = frame.readUInt16BE(12) === ETH_VLAN;
  const at = tagged ? 18 : 14;
  const l3 = frame.subarray(at);
  const heard: Heard = {
    from: macText(frame.subarray(6, 12)),
    to: macText(frame.subarray(0, 6)),
    vlan: tagged ? frame.readUInt16BE(14) & 0xfff : undefined,
    kind: 'other',
    answersFor: '',
    number: undefined,
  };
  const type = frame.readUInt16BE(at - 2);
  if (type === ETH_ARP && l3.readUInt16BE(6) === 2)
    return { ...heard, kind: 'arp-reply', answersFor: l3.toString('hex', 14, 18) };
  if (type === ETH_IPV4 && l3[9] === PROTOCOL_ICMP && l3[20] === 0)
    return {
      ...heard,
      kind: 'echo-reply',
      answersFor: l3.toString('hex', 12, 16),
      number: l3.readUInt16BE(26),
    };
  if (type !== ETH_IPV6 || l3[6] !== PROTOCOL_ICMPV6) return heard;
  if (l3[40] === 136) return { ...heard, kind: 'advertisement', answersFor: l3.toString('hex', 48, 64) };
  if (l3[40] === 129)
    return {
      ...heard,
      kind: 'echo-reply',
      answersFor: l3.toString('hex', 8, 24),
      number: l3.readUInt16BE(46),
    };
  return heard;
}
