/** Ethernet frames around a payload. Pure. */
import { MAC_BYTES } from './mac.js';
import { ETHERTYPE } from './numbers.js';
import { tagControl, VLAN_TAG, type VlanTag } from './vlan.js';

export const ETH_HEADER = 14;
/** Least length of a frame without its check sequence (IEEE 802.3 §4A.4.2), before a tag: removing one must not make a runt. */
export const MIN_FRAME = 60;

export interface EthernetHeader {
  /** 6 bytes each. */
  to: Uint8Array;
  from: Uint8Array;
  ethertype: number;
  vlan?: VlanTag | undefined;
}

/** Returns a frame with its header and room for `length` bytes of payload, padded to the least length that a wire takes. */
export function emptyFrame(header: EthernetHeader, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(ETH_HEADER + length, MIN_FRAME) + tagBytes(header));
  writeEthernet(bytes, header);
  return bytes;
}

/** Returns a frame, padded to the least length that a wire takes. */
export function frame(header: EthernetHeader, payload: Uint8Array): Uint8Array {
  const bytes = emptyFrame(header, payload.length);
  bytes.set(payload, payloadAt(header));
  return bytes;
}

/** Returns a frame without padding, for devices that pad it themselves. */
export function unpaddedFrame(header: EthernetHeader, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payloadAt(header) + payload.length);
  bytes.set(payload, writeEthernet(bytes, header));
  return bytes;
}

/** Returns where the payload of a frame with such a header begins. */
export const payloadAt = (header: Pick<EthernetHeader, 'vlan'>): number => ETH_HEADER + tagBytes(header);

const tagBytes = ({ vlan }: Pick<EthernetHeader, 'vlan'>): number => (vlan === undefined ? 0 : VLAN_TAG);

/** Writes a header and returns where it ends. */
export function writeEthernet(bytes: Uint8Array, { to, from, ethertype, vlan }: EthernetHeader): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes.set(to, 0);
  bytes.set(from, MAC_BYTES);
  let at = 2 * MAC_BYTES;
  if (vlan !== undefined) {
    view.setUint16(at, ETHERTYPE.vlan);
    view.setUint16(at + 2, tagControl(vlan));
    at += VLAN_TAG;
  }
  view.setUint16(at, ethertype);
  return at + 2;
}
