import { BpfError } from '../errors.js';

/** Checks a number of 32 bits; `name` says what it is. */
export function checkU32(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
  throw new BpfError('BPF_ARGUMENT', `${name} is ${value}, not a whole number from 0 to 4294967295`);
}

/** Words as the machine has them: an index as a key, a descriptor as a value. */
export const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** Word i of bytes as the machine has them. */
export const word = (bytes: Uint8Array, i: number): number =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)[i]!;
