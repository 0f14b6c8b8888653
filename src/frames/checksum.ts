/** The Internet checksum (RFC 1071). Pure, and nothing here allocates. */

/** Returns `from` with the 16-bit words of some bytes added. An odd last byte counts as the first half of a word. */
export function addWords(bytes: Uint8Array, at: number, length: number, from = 0): number {
  const end = at + length;
  let sum = from;
  let i = at;
  for (; i + 1 < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  return i < end ? sum + (bytes[i]! << 8) : sum;
}

/** Returns the checksum that a sum of words makes. */
export function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

/**
 * Returns the checksum of some bytes, `from` added in. What stands in the field of the checksum counts: with zero there it is the one to
 * write, of finished bytes it is 0.
 */
export function checksum(bytes: Uint8Array, at = 0, length = bytes.length - at, from = 0): number {
  return fold(addWords(bytes, at, length, from));
}
