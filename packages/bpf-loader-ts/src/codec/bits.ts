import { type Codec, refuseValue } from './codec.js';

/** Bits of a structure as an unsigned number. `bit` counts from the byte `at`, as BTF counts: from the lowest. At most 64. */
function getBits(view: DataView, at: number, bit: number, width: number): bigint {
  const first = bit >>> 3;
  const last = (bit + width - 1) >>> 3;
  let n = 0n;
  for (let i = last; i >= first; i--) n = (n << 8n) | BigInt(view.getUint8(at + i));
  return BigInt.asUintN(width, n >> BigInt(bit & 7));
}

/** Not atomic: neighbours in the same byte are read and written back. */
function setBits(view: DataView, at: number, bit: number, width: number, value: bigint): void {
  const first = bit >>> 3;
  const last = (bit + width - 1) >>> 3;
  const shift = BigInt(bit & 7);
  const mask = ((1n << BigInt(width)) - 1n) << shift;
  const bits = (BigInt.asUintN(width, value) << shift) & mask;
  for (let i = first; i <= last; i++) {
    const down = BigInt(8 * (i - first));
    const keep = view.getUint8(at + i) & ~Number((mask >> down) & 0xffn);
    view.setUint8(at + i, keep | Number((bits >> down) & 0xffn));
  }
}

export interface Bits<T, I = T> extends Codec<T, I> {
  /** From the structure's start. */
  readonly bit: number;
  readonly width: number;
}

/** A bitfield that lies `bit` bits after the structure's start; reads and writes take the structure's own place. Up to 32 bits. */
export function bits(bit: number, width: number, signed: boolean): Bits<number> {
  const min = signed ? -(2 ** (width - 1)) : 0;
  const max = min + 2 ** width - 1;
  return {
    name: `${signed ? 'int' : 'unsigned'} : ${width}`,
    size: 0,
    bit,
    width,
    read(view, at) {
      const n = getBits(view, at, bit, width);
      return Number(signed ? BigInt.asIntN(width, n) : n);
    },
    write(view, at, value, path) {
      if (!Number.isInteger(value) || value < min || value > max)
        throw refuseValue(path, value, `a whole number from ${min} to ${max} (${width} bits)`);
      setBits(view, at, bit, width, BigInt(value));
    },
  };
}

/** Of 33 to 64 bits. */
export function wideBits(bit: number, width: number, signed: boolean): Bits<bigint, bigint | number> {
  const min = signed ? -(1n << BigInt(width - 1)) : 0n;
  const max = min + (1n << BigInt(width)) - 1n;
  return {
    name: `${signed ? '' : 'unsigned '}long long : ${width}`,
    size: 0,
    bit,
    width,
    read(view, at) {
      const n = getBits(view, at, bit, width);
      return signed ? BigInt.asIntN(width, n) : n;
    },
    write(view, at, value, path) {
      const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
      const n = whole ? BigInt(value) : 0n;
      if (!whole || n < min || n > max)
        throw refuseValue(path, value, `a whole number from ${min} to ${max} (${width} bits)`);
      setBits(view, at, bit, width, n);
    },
  };
}
