/** IEEE 802.1Q tags. Pure. */
import { ETHERTYPE } from './numbers.js';
import { cannotBe } from './problems.js';

/** Bytes of a tag: its EtherType and its control information. They stand behind the addresses. */
export const VLAN_TAG = 4;
/** Bits of the id in the control information. */
export const VLAN_ID_MASK = 0xfff;
const TAG_AT = 12;

/** 802.1Q tag. */
export interface VlanTag {
  /** VLAN id, 0 to 4094; 0 carries a priority only. */
  id: number;
  /** Priority code point, 0 to 7; 0 by default. */
  priority?: number;
}

/** Returns the tag control information (IEEE 802.1Q §9.6): priority, drop eligible (0), VLAN id. */
export function tagControl({ id, priority = 0 }: VlanTag): number {
  const inRange = (n: number, max: number): boolean => Number.isInteger(n) && n >= 0 && n <= max;
  if (!inRange(id, 4094)) throw cannotBe('vlan.id', 'a VLAN id is an integer from 0 to 4094', id);
  if (!inRange(priority, 7))
    throw cannotBe('vlan.priority', 'a priority is an integer from 0 to 7', priority);
  return (priority << 13) | id;
}

/** Returns the frame with a tag behind its addresses. `vlan` 0 leaves it as it is. */
export function tagged(bytes: Uint8Array, vlan: number): Uint8Array {
  if (vlan === 0) return bytes;
  const out = new Uint8Array(bytes.length + VLAN_TAG);
  out.set(bytes.subarray(0, TAG_AT));
  const view = new DataView(out.buffer);
  view.setUint16(TAG_AT, ETHERTYPE.vlan);
  view.setUint16(TAG_AT + 2, tagControl({ id: vlan }));
  out.set(bytes.subarray(TAG_AT), TAG_AT + VLAN_TAG);
  return out;
}
