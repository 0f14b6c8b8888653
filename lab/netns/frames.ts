import { parseIp } from '../../src/frames/address.js';
import { type EthernetHeader, unpaddedFrame } from '../../src/frames/ethernet.js';
import { IPV4_HEADER, IPV6_HEADER, type IpHeader, writeIpv4, writeIpv6 } from '../../src/frames/ip.js';
import { formatMac, groupMac as groupMacBytes, parseMac } from '../../src/frames/mac.js';
import { ETHERTYPE, PROTOCOL } from '../../src/frames/numbers.js';
import { UDP_HEADER, udpChecksum, udpSum, writeUdp } from '../../src/frames/udp.js';

/** Ethernet frames that a lab sends itself, addresses given as text. */

/** Who sends and who is meant. */
export interface Ends {
  mac: string;
  ip: string;
  toMac: string;
  toIp: string;
  /** Id of an 802.1Q tag. */
  vlan?: number;
}

/** Bytes of an IPv4 or IPv6 address. */
export const ipBytes = (ip: string): Buffer => Buffer.from(parseIp(ip).bytes);

/** MAC of an IPv4 or IPv6 group. */
export const groupMac = (ip: string): string => formatMac(groupMacBytes(ipBytes(ip)));

/** The header of a frame between both ends. */
export const headerOf = (
  { mac, toMac, vlan }: Pick<Ends, 'mac' | 'toMac' | 'vlan'>,
  ethertype: number,
): EthernetHeader => ({
  to: parseMac(toMac),
  from: parseMac(mac),
  ethertype,
  ...(vlan !== undefined && { vlan: { id: vlan } }),
});

/** A packet of the family that the ends' addresses have. */
export function packet(ends: Ends, protocol: number, payload: Uint8Array, hops?: number): Buffer {
  const header: IpHeader = {
    source: ipBytes(ends.ip),
    target: ipBytes(ends.toIp),
    protocol,
    length: payload.length,
    ...(hops !== undefined && { hops }),
  };
  const v6 = header.target.length === 16;
  const bytes = new Uint8Array((v6 ? IPV6_HEADER : IPV4_HEADER) + payload.length);
  bytes.set(payload, v6 ? writeIpv6(bytes, 0, header) : writeIpv4(bytes, 0, header));
  const ethertype = v6 ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4;
  return Buffer.from(unpaddedFrame(headerOf(ends, ethertype), bytes));
}

/** A datagram from a port to the same port of the other end, of the family of its addresses. */
export function udp(ends: Ends, port: number, data: Uint8Array): Buffer {
  const { length } = data;
  const both = { source: ipBytes(ends.ip), target: ipBytes(ends.toIp), sourcePort: port, port };
  const datagram = Buffer.alloc(UDP_HEADER + length);
  datagram.set(data, writeUdp(datagram, 0, both, length));
  datagram.writeUInt16BE(udpChecksum(datagram, UDP_HEADER, length, udpSum(both, length)), 6);
  return packet(ends, PROTOCOL.udp, datagram);
}
