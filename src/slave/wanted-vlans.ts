import type { Device } from '../device.js';
import { ETHERTYPE } from '../frames/numbers.js';
import { bridgeVlans } from '../netlink/index.js';
import type { SlaveContext } from './takeover.js';

/** A VLAN: its id, and the EtherType of its tag. */
export type VlanKey = NonNullable<Device['vlan']>;

/** 802.1Q: 0 is a priority without a VLAN, 4095 is reserved. */
const VID_MAX = 4094;

/** `100`, `0x88a8:100`. */
export const textOfVlan = ({ id, protocol }: VlanKey): string =>
  protocol === ETHERTYPE.vlan ? String(id) : `0x${protocol.toString(16)}:${id}`;

/** As the undo log keeps it: protocol and id, in network order. */
export function idBytes(text: string): Uint8Array {
  const [first, second] = text.split(':');
  const [protocol, id] =
    second === undefined ? [ETHERTYPE.vlan, Number(first)] : [Number(first), Number(second)];
  return Uint8Array.of(protocol >> 8, protocol & 0xff, id >> 8, id & 0xff);
}

export const idText = (bytes: Uint8Array): string =>
  textOfVlan({ protocol: (bytes[0]! << 8) | bytes[1]!, id: (bytes[2]! << 8) | bytes[3]! });

/**
 * The VLANs whose frames the master should receive: those of the configuration; those of VLAN devices on it, and on what passes the master's frames on unchanged (a
 * bridge it is a port of, macvlans above it); and the VLANs of its bridge port, where the bridge filters. A VLAN on a VLAN is
 * not among them: a NIC sees the outer tag alone.
 */
export function wantedVlans(context: SlaveContext): Map<string, VlanKey> {
  const out = new Map<string, VlanKey>();
  const add = (vlan: VlanKey): void => {
    if (vlan.id >= 1 && vlan.id <= VID_MAX) out.set(textOfVlan(vlan), vlan);
  };
  const { master, links, vlans } = context;
  for (const id of vlans) add({ id, protocol: ETHERTYPE.vlan });
  const tagged = withFramesOf(context);
  for (const d of links.values()) {
    if (d.vlan && d.link !== undefined && d.linkNetnsId === undefined && tagged.has(d.link)) add(d.vlan);
  }
  const protocol = bridgeWithVlans(context);
  if (protocol !== undefined) {
    for (const { first, last } of bridgeVlans(context.rtnl, master.ifindex))
      for (let id = first; id <= last; id++) add({ id, protocol });
  }
  return out;
}

/** The EtherType of the tags of the bridge that has the master as a port and filters VLANs; undefined: there is none. */
export function bridgeWithVlans({ master, links }: SlaveContext): number | undefined {
  return master.master === undefined ? undefined : links.get(master.master)?.vlanFiltering;
}

const PASSES_ON = new Set(['macvlan', 'macvtap']);

/** The master and the devices above it that see its frames with their tags, by ifindex. */
function withFramesOf({ master, links }: SlaveContext): Set<number> {
  const out = new Set([master.ifindex]);
  if (master.master !== undefined) out.add(master.master);
  for (const d of links.values())
    if (d.link !== undefined && out.has(d.link) && d.linkNetnsId === undefined && PASSES_ON.has(d.kind ?? ''))
      out.add(d.ifindex);
  return out;
}
