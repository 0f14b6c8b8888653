/** VLANs of bridge ports. Pure. */
import * as c from './constants.js';
import { parseLinkHeader } from './links.js';
import {
  attributesAfter,
  LE,
  listAttributes,
  MessageBuilder,
  need,
  parseAttributes,
  readU16,
} from './message.js';

/** VLAN ids of one port of a bridge. */
export interface VlanRange {
  first: number;
  last: number;
}

/** The ranges in RTM_NEWVLAN data. */
export function parseBridgeVlans(data: Uint8Array): VlanRange[] {
  const out: VlanRange[] = [];
  // struct br_vlan_msg has 8 bytes. Entries repeat, so they cannot be read into a map.
  for (const [type, entry] of listAttributes(data.subarray(8))) {
    if (type !== c.BRIDGE_VLANDB_ENTRY) continue;
    const attrs = parseAttributes(entry);
    const info = attrs.get(c.BRIDGE_VLANDB_ENTRY_INFO);
    if (info === undefined) continue;
    const first = need(info, 4).getUint16(2, LE);
    const last = attrs.get(c.BRIDGE_VLANDB_ENTRY_RANGE);
    out.push({ first, last: last ? readU16(last) : first });
  }
  return out;
}

/** A bridge's port and the VLANs that leave it without a tag, from RTM_NEWLINK data of family AF_BRIDGE. */
export function parseUntaggedVlans(data: Uint8Array): { ifindex: number; untagged: Set<number> } {
  const { ifindex } = parseLinkHeader(data);
  const untagged = new Set<number>();
  const spec = attributesAfter(data, 16).get(c.IFLA_AF_SPEC);
  if (spec !== undefined)
    for (const [type, value] of listAttributes(spec)) {
      if (type !== c.IFLA_BRIDGE_VLAN_INFO) continue;
      const view = need(value, 4);
      if ((view.getUint16(0, LE) & c.BRIDGE_VLAN_INFO_UNTAGGED) !== 0) untagged.add(view.getUint16(2, LE));
    }
  return { ifindex, untagged };
}

/** Asks for the ports of bridges with their VLANs. */
export const portsRequest = (): MessageBuilder =>
  new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST | c.NLM_F_DUMP)
    .raw(ifinfomsg(c.AF_BRIDGE))
    .u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_BRVLAN);

/** struct ifinfomsg. */
function ifinfomsg(family: number): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = family;
  return bytes;
}
