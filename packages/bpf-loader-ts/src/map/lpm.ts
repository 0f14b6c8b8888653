import { BpfError } from '../errors.js';

/**
 * A key of an lpm_trie (Linux 4.11): the first `prefixLength` bits of `bytes`, which are in network order. In a lookup `prefixLength` is
 * that of the whole address, and the longest prefix that matches is found.
 */
export function lpmKey(prefixLength: number, bytes: Uint8Array): Uint8Array {
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > 8 * bytes.byteLength)
    throw new BpfError(
      'BPF_ARGUMENT',
      `prefix length is ${prefixLength}, not a whole number from 0 to ${8 * bytes.byteLength}, the bits of the address`,
    );
  const key = new Uint8Array(4 + bytes.byteLength);
  key.set(new Uint8Array(Uint32Array.of(prefixLength).buffer));
  key.set(bytes, 4);
  return key;
}
