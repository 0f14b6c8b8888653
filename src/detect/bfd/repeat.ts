import { BFD_HEADER, F_FLAGS, F_LENGTH, FLAG_AUTH, FLAG_FINAL, FLAG_POLL } from './packet.js';

/**
 * Writes the packet that a peer who says nothing new repeats after the one at the start of `bytes`, which decodeControl has read into
 * `packet`. Returns its length, or 0 when that is not known: with `meticulous` authentication each packet is another, and with any a poll
 * or its answer has a digest of its own. Nothing allocates.
 */
export function repeatOf(
  bytes: Uint8Array,
  packet: Uint32Array,
  meticulous: boolean,
  out: Uint8Array,
): number {
  const flags = packet[F_FLAGS]!;
  const signed = (flags & FLAG_AUTH) !== 0;
  if (signed && (meticulous || (flags & (FLAG_POLL | FLAG_FINAL)) !== 0)) return 0;
  const length = signed ? packet[F_LENGTH]! : BFD_HEADER;
  for (let i = 0; i < length; i++) out[i] = bytes[i]!;
  out[1]! &= ~(FLAG_POLL | FLAG_FINAL);
  return length;
}
