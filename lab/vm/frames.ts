import { formatIp } from '../../src/frames/address.js';
import { ARP_REPLY, question } from '../../src/frames/arp.js';
import { checksum } from '../../src/frames/checksum.js';
import { ETH_HEADER, unpaddedFrame } from '../../src/frames/ethernet.js';
import { ECHO_REPLY, ECHO_REPLY6, ECHO_REQUEST, ECHO_REQUEST6, sealIcmpv6 } from '../../src/frames/icmp.js';
import { HOPS_LINK } from '../../src/frames/ip.js';
import { BROADCAST, formatMac, macAt, parseMac } from '../../src/frames/mac.js';
import { solicitedNode as groupOf, ND_ADVERT, solicitation as solicit } from '../../src/frames/nd.js';
import { ETHERTYPE, PROTOCOL } from '../../src/frames/numbers.js';
import { VLAN_ID_MASK, VLAN_TAG } from '../../src/frames/vlan.js';
import { type Ends, groupMac, headerOf, ipBytes, packet } from '../netns/frames.js';

/** Ethernet frames that a station of a wire asks with, and what it understands of the answers. Addresses are given as text. */

/** The group in which the neighbours ask for an IPv6 address (RFC 4291, 2.7.1). */
export const solicitedNode = (ip: string): string => formatIp(groupOf(ipBytes(ip)));

/** A request for `toIp`: to everybody, or to `toMac` as somebody asks who knows the address already. */
export function arpRequest(ends: Omit<Ends, 'toMac'> & { toMac?: string }): Buffer {
  const { mac, ip, toIp, toMac = formatMac(BROADCAST) } = ends;
  const header = headerOf({ ...ends, toMac }, ETHERTYPE.arp);
  return Buffer.from(unpaddedFrame(header, question(parseMac(mac), ipBytes(ip), ipBytes(toIp))));
}

function icmpv6(ends: Ends, message: Uint8Array, hops?: number): Buffer {
  sealIcmpv6(ipBytes(ends.ip), ipBytes(ends.toIp), message);
  return packet(ends, PROTOCOL.icmpv6, message, hops);
}

/** An echo request with that number, to a station or to a group. */
export function echoRequest(ends: Ends, number: number): Buffer {
  const v6 = ends.toIp.includes(':');
  const message = Buffer.alloc(40);
  message[0] = v6 ? ECHO_REQUEST6 : ECHO_REQUEST;
  message.writeUInt16BE(0x7666, 4);
  message.writeUInt16BE(number, 6);
  if (v6) return icmpv6(ends, message);
  message.writeUInt16BE(checksum(message), 2);
  return packet(ends, PROTOCOL.icmp, message);
}

/** A neighbour solicitation for `target` (RFC 4861, 4.3): to its group, or to `toMac` and the address itself. */
export function solicitation(
  ends: Omit<Ends, 'toMac' | 'toIp'> & { toMac?: string },
  target: string,
): Buffer {
  const group = solicitedNode(target);
  const [toMac, toIp] = ends.toMac === undefined ? [groupMac(group), group] : [ends.toMac, target];
  return icmpv6({ ...ends, toMac, toIp }, solicit(parseMac(ends.mac), ipBytes(target)), HOPS_LINK);
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
  const tagged = frame.readUInt16BE(12) === ETHERTYPE.vlan;
  const at = ETH_HEADER + (tagged ? VLAN_TAG : 0);
  const l3 = frame.subarray(at);
  const heard: Heard = {
    from: macAt(frame, 6),
    to: macAt(frame),
    vlan: tagged ? frame.readUInt16BE(14) & VLAN_ID_MASK : undefined,
    kind: 'other',
    answersFor: '',
    number: undefined,
  };
  const type = frame.readUInt16BE(at - 2);
  if (type === ETHERTYPE.arp && l3.readUInt16BE(6) === ARP_REPLY)
    return { ...heard, kind: 'arp-reply', answersFor: l3.toString('hex', 14, 18) };
  if (type === ETHERTYPE.ipv4 && l3[9] === PROTOCOL.icmp && l3[20] === ECHO_REPLY)
    return {
      ...heard,
      kind: 'echo-reply',
      answersFor: l3.toString('hex', 12, 16),
      number: l3.readUInt16BE(26),
    };
  if (type !== ETHERTYPE.ipv6 || l3[6] !== PROTOCOL.icmpv6) return heard;
  if (l3[40] === ND_ADVERT)
    return { ...heard, kind: 'advertisement', answersFor: l3.toString('hex', 48, 64) };
  if (l3[40] === ECHO_REPLY6)
    return {
      ...heard,
      kind: 'echo-reply',
      answersFor: l3.toString('hex', 8, 24),
      number: l3.readUInt16BE(46),
    };
  return heard;
}
