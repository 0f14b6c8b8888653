import {
  alternative,
  array,
  BpfError,
  bitfield,
  bits,
  bool,
  bytes,
  type Codec,
  chars,
  codecOf,
  decode,
  encode,
  f32,
  f64,
  field,
  i8,
  i16,
  i32,
  i64,
  i128,
  parseSpec,
  readI64,
  readU64,
  struct,
  u8,
  u16,
  u32,
  u64,
  u128,
  wideBits,
} from 'bpf-loader-ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile, FRAME, own } from './helpers.js';
import { walks } from './walks.js';

const code = (fn: () => unknown): string => {
  try {
    fn();
  } catch (e) {
    expect(e).toBeInstanceOf(BpfError);
    return (e as BpfError).code;
  }
  return 'nothing';
};
const message = (fn: () => unknown): string => {
  try {
    fn();
  } catch (e) {
    return (e as Error).message;
  }
  return '';
};

describe('scalars', () => {
  it.each([
    [u8, 0, 255],
    [i8, -128, 127],
    [u16, 0, 65535],
    [i16, -32768, 32767],
    [u32, 0, 2 ** 32 - 1],
    [i32, -(2 ** 31), 2 ** 31 - 1],
  ])('$name from $1 to $2', (codec, min, max) => {
    for (const n of [min, max, 0, 1]) expect(decode(codec, encode(codec, n))).toBe(n);
    for (const n of [min - 1, max + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(code(() => encode(codec, n))).toBe('BPF_ARGUMENT');
    for (const wrong of ['1', null, undefined, 1n, {}, []])
      expect(code(() => encode(codec, wrong as never))).toBe('BPF_ARGUMENT');
  });

  it.each([
    [u64, 0n, 2n ** 64n - 1n],
    [i64, -(2n ** 63n), 2n ** 63n - 1n],
    [u128, 0n, 2n ** 128n - 1n],
    [i128, -(2n ** 127n), 2n ** 127n - 1n],
  ])('$name from $1 to $2', (codec, min, max) => {
    for (const n of [min, max, 0n, 1n, 2n ** 53n]) expect(decode(codec, encode(codec, n))).toBe(n);
    expect(decode(codec, encode(codec, 12))).toBe(12n);
    for (const n of [min - 1n, max + 1n, 0.5, 2 ** 53, Number.NaN])
      expect(code(() => encode(codec, n))).toBe('BPF_ARGUMENT');
  });

  it('booleans and floating-point numbers', () => {
    expect([true, false].map((b) => decode(bool, encode(bool, b)))).toEqual([true, false]);
    expect(code(() => encode(bool, 1 as never))).toBe('BPF_ARGUMENT');
    expect(decode(f32, encode(f32, 0.5))).toBe(0.5);
    expect(decode(f64, encode(f64, Math.PI))).toBe(Math.PI);
    expect(code(() => encode(f64, '1' as never))).toBe('BPF_ARGUMENT');
  });

  it('64-bit numbers as doubles', () => {
    const view = new DataView(new ArrayBuffer(8));
    for (const n of [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n]) {
      view.setBigUint64(0, n, true);
      expect(readU64(view, 0)).toBe(Number(n));
      view.setBigInt64(0, -n, true);
      expect(readI64(view, 0)).toBe(Number(-n));
    }
  });
});

describe('arrays', () => {
  it('of elements, bytes and text', () => {
    expect(decode(array(u16, 3), encode(array(u16, 3), [1, 2, 3]))).toEqual([1, 2, 3]);
    expect(decode(bytes(2), encode(bytes(2), Uint8Array.of(7, 8)))).toEqual(Uint8Array.of(7, 8));
    for (const text of ['', 'abc', 'abcd', 'é€'.slice(0, 1)])
      expect(decode(chars(4), encode(chars(4), text))).toBe(text);
  });

  it('refuse another length, and say where', () => {
    expect(message(() => encode(array(u16, 3), [1, 2]))).toBe('value is an array of 2, not an array of 3');
    expect(message(() => encode(array(u16, 2), [1, -2]))).toBe(
      'value[1] is -2, not a whole number from 0 to 65535',
    );
    expect(message(() => encode(bytes(2), Uint8Array.of(1)))).toMatch(
      /a Uint8Array of 1, not a Uint8Array of 2/,
    );
    expect(message(() => encode(chars(4), 'abcde'))).toMatch(/at most 4 bytes: it has 5/);
    expect(message(() => encode(chars(4), 'a\0b'))).toMatch(/without NUL/);
    expect(message(() => encode(chars(4), 5 as never))).toMatch(/not a string/);
  });
});

describe('structures', () => {
  const Point = struct('struct point', 8, { x: field(0, u32), y: field(4, i32) });
  const Either = struct('union either', 4, { n: alternative(0, u32), halves: alternative(0, array(u16, 2)) });
  const Flags = struct('struct flags', 8, {
    a: bitfield(bits(0, 3, false)),
    b: bitfield(bits(3, 9, true)),
    c: bitfield(wideBits(12, 40, false)),
  });

  it('have offsets, and want every member', () => {
    expect(Point.offsets).toEqual({ x: 0, y: 4 });
    expect(decode(Point, encode(Point, { x: 1, y: -1 }))).toEqual({ x: 1, y: -1 });
    expect(message(() => encode(Point, { x: 1 } as never))).toMatch(/value.y is undefined/);
    expect(message(() => encode(Point, { x: 1, y: 2, z: 3 } as never))).toMatch(
      /value.z: struct point has no such member; it has x, y/,
    );
    expect(message(() => encode(Point, 5 as never))).toMatch(/value is 5, not an object/);
    expect(message(() => decode(Point, new Uint8Array(7)))).toBe(
      'the value is 7 bytes long, struct point has 8',
    );
  });

  it('unions read all members and take one', () => {
    expect(decode(Either, encode(Either, { n: 0x20001 }))).toEqual({ n: 0x20001, halves: [1, 2] });
    expect(decode(Either, encode(Either, { halves: [3, 0] })).n).toBe(3);
    expect(message(() => encode(Either, {}))).toMatch(/give one member of union either: n, halves/);
  });

  it('bitfields leave their neighbours alone', () => {
    const view = new DataView(new Uint8Array(8).fill(0xff).buffer);
    Flags.write(view, 0, { a: 0, b: -256, c: 0 }, 'value');
    expect(view.getBigUint64(0, true)).toBe(0xfff0_0000_0000_0000n | (0x100n << 3n));
    expect(Flags.read(view, 0)).toEqual({ a: 0, b: -256, c: 0n });
    expect(message(() => encode(Flags, { a: 8, b: 0, c: 0 }))).toMatch(
      /value.a is 8, not a whole number from 0 to 7 \(3 bits\)/,
    );
    expect(message(() => encode(Flags, { a: 0, b: 256, c: 0 }))).toMatch(/from -256 to 255/);
    expect(code(() => encode(Flags, { a: 0, b: 0, c: 2n ** 40n }))).toBe('BPF_ARGUMENT');
  });
});

describe('types of an object', () => {
  const spec = parseSpec(compile('types'));
  // Compilers before clang 15 do not say that an enumeration is signed: bpftool and libbpf read it as unsigned then, and so do we.
  const DARK = spec.btf.find('enum', 'shade')!.type.signed ? -2 : 2 ** 32 - 2;
  const WRITTEN = {
    u8: 200,
    s8: -100,
    u16: 60000,
    s16: -30000,
    u32: 4000000000,
    s32: -2000000000,
    u64: 0xfedcba9876543210n,
    s64: -0x123456789abcdefn,
    yes: true,
    shade: DARK,
    text: 'vf',
    octets: Uint8Array.of(0, 0, 0, 0, 0, 0xee),
    numbers: [0, 0xabcd, 0],
    grid: [
      [0n, 0n],
      [-7n, 0n],
    ],
    inners: [
      { a: 0, b: 0 },
      { a: 515, b: -5 },
    ],
    inner: { a: 1, b: 0 },
    point: { x: 0, y: 77 },
    anonymous_number: 0x20001,
    half: 1,
    other: 2,
    either: { number: 0x04030201, octets: Uint8Array.of(1, 2, 3, 4), inner: { a: 0x0201, b: 3 } },
    bits: {
      low: 5,
      signed_five: -9,
      across: 0x1abcd,
      rest: 0x55,
      wide: 0xab12345678n,
      wide_signed: -3,
      shade: 7,
    },
    packed: { first: 1, second: 0x1122334455667788n, third: 0x7aa, fourth: 0x155555 },
    plain: 3n,
    huge: -2n,
    constructor: 4,
    last: 255,
  };

  it('are read as a program wrote them, and a program reads what was written', () => {
    const object = own(spec.load());
    object.program('fill').testRun({ data: FRAME });
    expect(object.variable('seen').get()).toEqual(WRITTEN);
    object.variable('given').set(WRITTEN);
    expect(object.program('check').testRun({ data: FRAME }).retval).toBe(0);
    object.variable('given').set({ ...WRITTEN, grid: [[0n, 1n], WRITTEN.grid[1]] });
    expect(object.program('check').testRun({ data: FRAME }).retval).toBe(8);
    expect(object.program('peep').testRun({ data: FRAME }).retval).toBe(9 + 5 - 2);
  });

  it('any bytes survive reading and writing, but for padding and text', () => {
    const codec = codecOf(spec.btf, spec.btf.find('struct', 'all')!.id, 'all') as Codec<
      Record<string, unknown>
    >;
    const bytes = fc.uint8Array({ minLength: codec.size, maxLength: codec.size });
    const property = fc.property(bytes, (random) => {
      const value = { ...decode(codec, random), text: 'x' };
      expect(decode(codec, encode(codec, value))).toEqual(value);
    });
    fc.assert(property, walks(300));
  });

  it('pointers are refused by name', () => {
    const spec = parseSpec(compile('pointers'));
    const id = spec.btf.find('struct', 'node')!.id;
    expect(message(() => codecOf(spec.btf, id, 'node'))).toBe(
      'struct node.link.next is a pointer: it means nothing outside of the kernel',
    );
    expect(code(() => codecOf(spec.btf, id, 'node'))).toBe('BPF_UNSUPPORTED');
  });
});
