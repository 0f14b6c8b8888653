/** Forwarding tables of bridges, and the MACs that devices let in beside their own. Pure. */
import { formatMac } from '../frames/mac.js';
import * as c from './constants.js';
import { attributesAfter, LE, MessageBuilder, need, readU32 } from './message.js';
import { ndmsg } from './neighbours.js';

/** One forwarding entry of a bridge. */
export interface BridgeEntry {
  address: string;
  /** The port behind which it is. */
  ifindex: number;
}

/** The entry in RTM_NEWNEIGH data of family AF_BRIDGE; undefined for those that `bridge` has not learnt. */
export function parseBridgeEntry(data: Uint8Array, bridge: number): BridgeEntry | undefined {
  const view = need(data, 12);
  const attrs = attributesAfter(data, 12);
  const [address, master] = [attrs.get(c.NDA_LLADDR), attrs.get(c.NDA_MASTER)];
  if (address === undefined || master === undefined || readU32(master) !== bridge) return undefined;
  // Permanent: a port's own address.
  if ((view.getUint16(8, LE) & c.NUD_PERMANENT) !== 0) return undefined;
  return { address: formatMac(address), ifindex: view.getInt32(4, LE) };
}

/** One MAC that a device lets in beside its own: an entry of its unicast or multicast list. */
export interface FilterEntry {
  ifindex: number;
  mac: Uint8Array;
}

/** The entry in RTM_NEWNEIGH data of family AF_BRIDGE; undefined for what a bridge has learnt. `mac` is a view. */
export function parseFilterEntry(data: Uint8Array): FilterEntry | undefined {
  const view = need(data, 12);
  if ((view.getUint8(10) & c.NTF_SELF) === 0) return undefined;
  const attrs = attributesAfter(data, 12);
  const mac = attrs.get(c.NDA_LLADDR);
  if (mac?.length !== 6 || attrs.has(c.NDA_MASTER)) return undefined;
  return { ifindex: view.getInt32(4, LE), mac };
}

/** One entry of a device's or a bridge's forwarding table. */
export interface ForwardingEntry {
  /** Six bytes as text. */
  mac: string;
  /** The port behind which the station is, or the device that lets the MAC in. */
  ifindex: number;
  /** The bridge whose entry it is; undefined: it stands in the device's own list of addresses. */
  bridge?: number;
  /** VLAN of a bridge that filters by VLAN. */
  vlan?: number;
  /** An address of this machine, not of a station. */
  permanent: boolean;
  /** Seconds since the station was last heard; 0 where the kernel does not say. */
  ageS: number;
}

/** The entry in RTM_NEWNEIGH data of family AF_BRIDGE; undefined for one that names no Ethernet address. */
export function parseForwardingEntry(data: Uint8Array): ForwardingEntry | undefined {
  const view = need(data, 12);
  const attrs = attributesAfter(data, 12);
  const [mac, bridge, vlan, times] = [c.NDA_LLADDR, c.NDA_MASTER, c.NDA_VLAN, c.NDA_CACHEINFO].map((type) =>
    attrs.get(type),
  );
  if (mac?.length !== 6) return undefined;
  return {
    mac: formatMac(mac),
    ifindex: view.getInt32(4, LE),
    ...(bridge !== undefined && { bridge: readU32(bridge) }),
    ...(vlan !== undefined && { vlan: need(vlan, 2).getUint16(0, LE) }),
    permanent: (view.getUint16(8, LE) & c.NUD_PERMANENT) !== 0,
    // struct nda_cacheinfo: confirmed, used, updated, refcnt, in hundredths of a second
    ageS: times === undefined ? 0 : need(times, 16).getUint32(8, LE) / 100,
  };
}

/** Asks for the forwarding entries of one bridge, or of all and of devices' own lists. */
export function forwardingRequest(bridge?: number): MessageBuilder {
  const request = new MessageBuilder(c.RTM_GETNEIGH, c.NLM_F_REQUEST | c.NLM_F_DUMP).raw(
    ndmsg(c.AF_BRIDGE, 0, 0),
  );
  return bridge === undefined ? request : request.u32(c.NDA_MASTER, bridge);
}
