import { type Codec, refuseValue } from './codec.js';

/**
 * A 64-bit unsigned number as a double: exact up to 2^53. Two loads and one to see that no carry went between them; a BigInt would be
 * an allocation.
 */
export function readU64(view: DataView, at: number): number {
  for (;;) {
    const high = view.getUint32(at + 4, true);
    const low = view.getUint32(at, true);
    if (view.getUint32(at + 4, true) === high) return high * 4294967296 + low;
  }
}

/** Likewise signed: exact from -2^53. */
export function readI64(view: DataView, at: number): number {
  for (;;) {
    const high = view.getInt32(at + 4, true);
    const low = view.getUint32(at, true);
    if (view.getInt32(at + 4, true) === high) return high * 4294967296 + low;
  }
}

function small(
  name: string,
  size: 1 | 2 | 4,
  signed: boolean,
  read: (view: DataView, at: number) => number,
  write: (view: DataView, at: number, value: number) => void,
): Codec<number> {
  const min = signed ? -(2 ** (8 * size - 1)) : 0;
  const max = min + 2 ** (8 * size) - 1;
  return {
    name,
    size,
    read,
    write(view, at, value, path) {
      if (!Number.isInteger(value) || value < min || value > max)
        throw refuseValue(path, value, `a whole number from ${min} to ${max}`);
      write(view, at, value);
    },
  };
}

/** `__u8` as a number. */
export const u8 = small(
  '__u8',
  1,
  false,
  (v, at) => v.getUint8(at),
  (v, at, n) => v.setUint8(at, n),
);
/** `__s8` as a number. */
export const i8 = small(
  '__s8',
  1,
  true,
  (v, at) => v.getInt8(at),
  (v, at, n) => v.setInt8(at, n),
);
/** `__u16` as a number. */
export const u16 = small(
  '__u16',
  2,
  false,
  (v, at) => v.getUint16(at, true),
  (v, at, n) => v.setUint16(at, n, true),
);
/** `__s16` as a number. */
export const i16 = small(
  '__s16',
  2,
  true,
  (v, at) => v.getInt16(at, true),
  (v, at, n) => v.setInt16(at, n, true),
);
/** `__u32` as a number. */
export const u32 = small(
  '__u32',
  4,
  false,
  (v, at) => v.getUint32(at, true),
  (v, at, n) => v.setUint32(at, n, true),
);
/** `__s32` as a number. */
export const i32 = small(
  '__s32',
  4,
  true,
  (v, at) => v.getInt32(at, true),
  (v, at, n) => v.setInt32(at, n, true),
);

function wide(name: string, words: 1 | 2, signed: boolean): Codec<bigint, bigint | number> {
  const bits = BigInt(64 * words);
  const min = signed ? -(1n << (bits - 1n)) : 0n;
  const max = min + (1n << bits) - 1n;
  return {
    name,
    size: 8 * words,
    read(view, at) {
      if (words === 1) return signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
      const both = (view.getBigUint64(at + 8, true) << 64n) | view.getBigUint64(at, true);
      return signed ? BigInt.asIntN(128, both) : both;
    },
    write(view, at, value, path) {
      const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
      const n = whole ? BigInt(value) : 0n;
      if (!whole || n < min || n > max)
        throw refuseValue(path, value, `a bigint or safe whole number from ${min} to ${max}`);
      view.setBigUint64(at, BigInt.asUintN(64, n), true);
      if (words === 2) view.setBigUint64(at + 8, BigInt.asUintN(64, n >> 64n), true);
    },
  };
}

/** `__u64` as a bigint; writing takes safe whole numbers too. */
export const u64 = wide('__u64', 1, false);
/** `__s64` as a bigint; writing takes safe whole numbers too. */
export const i64 = wide('__s64', 1, true);
/** `unsigned __int128` as a bigint; writing takes safe whole numbers too. */
export const u128 = wide('unsigned __int128', 2, false);
/** `__int128` as a bigint; writing takes safe whole numbers too. */
export const i128 = wide('__int128', 2, true);

/** `bool`: a byte. */
export const bool: Codec<boolean> = {
  name: 'bool',
  size: 1,
  read: (view, at) => view.getUint8(at) !== 0,
  write(view, at, value, path) {
    if (typeof value !== 'boolean') throw refuseValue(path, value, 'true or false');
    view.setUint8(at, value ? 1 : 0);
  },
};

const float = (name: string, size: 4 | 8): Codec<number> => ({
  name,
  size,
  read: (view, at) => (size === 4 ? view.getFloat32(at, true) : view.getFloat64(at, true)),
  write(view, at, value, path) {
    if (typeof value !== 'number') throw refuseValue(path, value, 'a number');
    if (size === 4) view.setFloat32(at, value, true);
    else view.setFloat64(at, value, true);
  },
});

/** `float` as a number, rounded when it is written. */
export const f32 = float('float', 4);
/** `double` as a number. */
export const f64 = float('double', 8);

/** Integers by bytes and sign. */
export function integer(
  size: number,
  signed: boolean,
): Codec<number> | Codec<bigint, bigint | number> | undefined {
  switch (size) {
    case 1:
      return signed ? i8 : u8;
    case 2:
      return signed ? i16 : u16;
    case 4:
      return signed ? i32 : u32;
    case 8:
      return signed ? i64 : u64;
    case 16:
      return signed ? i128 : u128;
    default:
      return undefined;
  }
}
