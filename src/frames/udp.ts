/** UDP datagrams. Pure. */
import { addWords, fold } from './checksum.js';
import { pseudoSum } from './ip.js';
import { PROTOCOL } from './numbers.js';

export const UDP_HEADER = 8;

export interface UdpEnds {
  /** 4 or 16 bytes each, both of one family. */
  source: Uint8Array;
  target: Uint8Array;
  sourcePort: number;
  port: number;
}

/** Writes the header of a datagram with `length` bytes of payload, without its checksum, and returns where it ends. */
export function writeUdp(bytes: Uint8Array, at: number, ends: UdpEnds, length: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(at, ends.sourcePort);
  view.setUint16(at + 2, ends.port);
  view.setUint16(at + 4, UDP_HEADER + length);
  return at + UDP_HEADER;
}

/** Returns the sum of what the checksum covers besides the payload. */
export function udpSum(ends: UdpEnds, length: number): number {
  const datagram = UDP_HEADER + length;
  const lent = pseudoSum({ ...ends, protocol: PROTOCOL.udp, length: datagram });
  return lent + ends.sourcePort + ends.port + datagram;
}

/** Returns the checksum of a datagram whose payload stands at `at`; `sum` is that of `udpSum`. Allocates nothing. */
export function udpChecksum(bytes: Uint8Array, at: number, length: number, sum: number): number {
  // 0 would say that there is none (RFC 768).
  return fold(addWords(bytes, at, length, sum)) || 0xffff;
}
