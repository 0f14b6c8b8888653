import { MAGIC, STREAM_BYTES, STREAM_PORT } from '../../workers/traffic.js';
import { type Ends, groupMac, udp } from './frames.js';

/**
 * Kinds of numbered streams, by what a NIC may filter: IPv4 and IPv6 to the guest's own MAC, to a group, with a VLAN's tag, and to and from
 * another MAC than the master's, as of a macvlan or a station behind a bridge.
 */
export const STREAM_KINDS = [
  'ipv4',
  'ipv6',
  'group',
  'group6',
  'vlan',
  'vlan6',
  'foreign',
  'foreign6',
] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

/** The guest's addresses and those of the network's station, on the master and on its VLAN. */
export const PLAIN = { ip: '10.99.0.2', ip6: 'fd00:99::2', station: { ip: '10.99.0.1', ip6: 'fd00:99::1' } };
export const VLAN = {
  id: 77,
  ip: '10.99.77.2',
  ip6: 'fd00:77::2',
  station: { ip: '10.99.77.1', ip6: 'fd00:77::1' },
};
/** A station of the guest with a MAC of its own. */
export const FOREIGN = { mac: '52:54:00:76:66:03', ip: '10.99.0.3', ip6: 'fd00:99::3' };
const GROUP = { ip: '239.99.7.8', ip6: 'ff05::99:8' };

/** True if both ends send to a group: no frame tells a switch where its receiver is, and none can be answered as it is. */
export const isGroup = (kind: StreamKind): boolean => kind.startsWith('group');

/** The id of the tag that each frame of the kind has; 0: none. */
export const tagOf = (kind: StreamKind): number => (kind.startsWith('vlan') ? VLAN.id : 0);

/** Ends of a kind's frames from the guest (`out`) and to it (`in`). */
export function streamEnds(kind: StreamKind, guestMac: string, stationMac: string): { out: Ends; in: Ends } {
  const family = kind.endsWith('6') ? 'ip6' : 'ip';
  const tag = tagOf(kind);
  const net = tag ? VLAN : PLAIN;
  const guest = kind.startsWith('foreign')
    ? { mac: FOREIGN.mac, ip: FOREIGN[family] }
    : { mac: guestMac, ip: net[family] };
  const station = { mac: stationMac, ip: net.station[family] };
  const group = { mac: groupMac(GROUP[family]), ip: GROUP[family] };
  const ends = (from: typeof guest, to: typeof guest): Ends => ({
    mac: from.mac,
    ip: from.ip,
    toMac: to.mac,
    toIp: to.ip,
    ...(tag && { vlan: tag }),
  });
  return isGroup(kind)
    ? { out: ends(guest, group), in: ends(station, group) }
    : { out: ends(guest, station), in: ends(station, guest) };
}

/**
 * What stands before the payload of every frame of a stream. Its checksum holds for every number, because the payload carries the number's
 * complement too: both together add nothing to the sum.
 */
export function streamHead(ends: Ends, stream: number): Buffer {
  const payload = Buffer.alloc(STREAM_BYTES);
  payload.writeUInt32LE(MAGIC, 0);
  payload.writeUInt32LE(stream, 4);
  payload.writeUInt32LE(0xffffffff, 12);
  return udp(ends, STREAM_PORT, payload).subarray(0, -STREAM_BYTES);
}
