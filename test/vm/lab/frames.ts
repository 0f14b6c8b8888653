/** Ethernet frames that a station of a wire asks with, and what it understands of the answers. Addresses are given as text. */

export const ETH_ARP = 0x0806;
export const ETH_IPV4 = 0x0800;
export const ETH_IPV6 = 0x86dd;
const ETH_VLAN = 0x8100;
const PROTOCOL_ICMP = 1;
const PROTOCOL_ICMPV6 = 58;
/** Shortest frame without its checksum (IEEE 802.3), bytes. */
const FRAME_MIN = 60;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

/** Who sends and who is meant. */
export interface Ends {
  mac: string;
  ip: string;
  toMac: string;
  toIp: string;
  /** Id of an 802.1Q tag. */
  vlan?: number;
}

/** Six bytes of a MAC address. */
export const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const macText = (b: Buffer): string => b.toString('hex').match(/../g)!.join(':');

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

/** The group in which the neighbours ask for an IPv6 address (RFC 4291, 2.7.1). */
export function solicitedNode(ip: string): string {
  const [a, b, c] = ipBytes(ip).subarray(13) as unknown as [number, number, number];
  return `ff02::1:ff${a.toString(16).padStart(2, '0')}:${((b << 8) | c).toString(16)}`;
}

function ethernet({ mac, toMac, vlan }: Ends, type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(vlan === undefined ? 14 : 18);
  macBytes(toMac).copy(head, 0);
  macBytes(mac).copy(head, 6);
  if (vlan !== undefined) {
    head.writeUInt16BE(ETH_VLAN, 12);
    head.writeUInt16BE(vlan, 14);
  }
  head.writeUInt16BE(type, head.length - 2);
  const frame = Buffer.concat([head, payload]);
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, FRAME_MIN - frame.length))]);
}

/** Sum of RFC 1071 over all parts, each of even length but the last. */
function checksum(...parts: Buffer[]): number {
  let sum = 0;
  for (const part of parts)
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
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

function ipv4(ends: Ends, protocol: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head[0] = 0x45;
  head.writeUInt16BE(20 + payload.length, 2);
  head[8] = 64;
  head[9] = protocol;
  ipBytes(ends.ip).copy(head, 12);
  ipBytes(ends.toIp).copy(head, 16);
  head.writeUInt16BE(checksum(head), 10);
  return ethernet(ends, ETH_IPV4, Buffer.concat([head, payload]));
}

function icmpv6(ends: Ends, hops: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(40);
  head[0] = 0x60;
  head.writeUInt16BE(payload.length, 4);
  head[6] = PROTOCOL_ICMPV6;
  head[7] = hops;
  const addresses = Buffer.concat([ipBytes(ends.ip), ipBytes(ends.toIp)]);
  addresses.copy(head, 8);
  const rest = Buffer.alloc(8);
  rest.writeUInt32BE(payload.length, 0);
  rest[7] = PROTOCOL_ICMPV6;
  payload.writeUInt16BE(checksum(addresses, rest, payload), 2);
  return ethernet(ends, ETH_IPV6, Buffer.concat([head, payload]));
}

/** An echo request with that number, to a station or to a group. */
export function echoRequest(ends: Ends, number: number): Buffer {
  const v6 = ends.toIp.includes(':');
  const payload = Buffer.alloc(40);
  payload[0] = v6 ? 128 : 8;
  payload.writeUInt16BE(0x7666, 4);
  payload.writeUInt16BE(number, 6);
  if (v6) return icmpv6(ends, 64, payload);
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
  return icmpv6({ ...ends, toMac, toIp }, 255, payload);
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
