/**
 * 64-bit fields in mapped memory that a program of the kernel reads or writes at any moment. Nothing here allocates, except `u64View`. Fields
 * lie at even words, as their alignment demands.
 */
const bits = new Int32Array(2);
const whole = new Float64Array(bits.buffer);

/** Returns the same memory for `writeNs`. Cold: made once for each mapping. */
export const u64View = (words: Int32Array): Float64Array =>
  new Float64Array(words.buffer, words.byteOffset, words.length >>> 1);

/** Returns a 64-bit nanosecond field as a double: exact for 104 days of uptime, to 2 ns after. */
export const readNs = (words: Int32Array, at: number): number =>
  words[at + 1]! * 4294967296 + (words[at]! >>> 0);

/**
 * Writes a 64-bit nanosecond field; `at` counts words, as for `readNs`. Both halves leave in one store of 8 bytes: a program that read half
 * of a deadline would find it in the past. A Float64Array stores so without a BigInt, which would have to be allocated. The bits of a time
 * are never those of a NaN, which such a store might change.
 */
export const writeNs = (view: Float64Array, at: number, ns: number): void => {
  bits[0] = (ns % 4294967296) | 0;
  bits[1] = Math.floor(ns / 4294967296);
  view[at >>> 1] = whole[0]!;
};
