import { BpfError } from '../errors.js';
import type { BtfInt, BtfMember, BtfType } from './types.js';

/** The kernel's limit (KSYM_NAME_LEN). */
const NAME_MAX = 512;
const HEADER_MIN = 24;

export const badBtf = (why: string, cause?: unknown): BpfError =>
  new BpfError('BPF_OPEN', `BTF ${why}`, { cause });

/** Strings of BTF, by offset. */
export class Strings {
  readonly #bytes: Uint8Array;
  readonly #text = new TextDecoder();
  readonly #known = new Map<number, string>([[0, '']]);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  at(offset: number): string {
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    const end = this.#bytes.indexOf(0, offset);
    if (offset >= this.#bytes.length || end < 0 || end - offset > NAME_MAX)
      throw badBtf(`has a bad string at ${offset}`);
    const text = this.#text.decode(this.#bytes.subarray(offset, end));
    this.#known.set(offset, text);
    return text;
  }
}

/** Reads types one after another. */
class Reader {
  readonly #view: DataView;
  readonly #end: number;
  readonly #strings: Strings;
  #at: number;

  constructor(view: DataView, at: number, end: number, strings: Strings) {
    this.#view = view;
    this.#at = at;
    this.#end = end;
    this.#strings = strings;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  u32(): number {
    if (this.#at + 4 > this.#end) throw new RangeError('types');
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  string(): string {
    return this.#strings.at(this.u32());
  }

  list<T>(n: number, one: () => T): T[] {
    const all: T[] = [];
    for (let i = 0; i < n; i++) all.push(one());
    return all;
  }
}

const ENCODING: Record<number, BtfInt['encoding']> = { 0: 'unsigned', 1: 'signed', 2: 'char', 4: 'bool' };
const LINKAGE = ['static', 'global', 'extern'] as const;

function int(r: Reader, name: string, size: number): BtfType {
  const word = r.u32();
  const encoding = ENCODING[(word >>> 24) & 15];
  const bits = word & 0xff;
  const bitOffset = (word >>> 16) & 0xff;
  if (encoding === undefined || ![1, 2, 4, 8, 16].includes(size) || bits + bitOffset > 8 * size || bits === 0)
    throw badBtf(`integer ${name} has ${bits} bits in ${size} bytes`);
  return { kind: 'int', name, size, bits, bitOffset, encoding };
}

function members(r: Reader, n: number, bitfields: boolean): BtfMember[] {
  return r.list(n, () => {
    const name = r.string();
    const type = r.u32();
    const offset = r.u32();
    return bitfields
      ? { name, type, bitOffset: offset & 0xffffff, bitSize: offset >>> 24 }
      : { name, type, bitOffset: offset, bitSize: 0 };
  });
}

function enumeration(
  r: Reader,
  name: string,
  size: number,
  n: number,
  signed: boolean,
  wide: boolean,
): BtfType {
  const values = r.list(n, () => {
    const label = r.string();
    const low = r.u32();
    const bits = wide ? BigInt(low) | (BigInt(r.u32()) << 32n) : BigInt(low);
    return { name: label, value: signed ? BigInt.asIntN(wide ? 64 : 32, bits) : bits };
  });
  if (![1, 2, 4, 8].includes(size)) throw badBtf(`enumeration ${name} is ${size} bytes long`);
  return { kind: 'enum', name, size, signed, values };
}

/** One type; the order of the cases is that of enum in include/uapi/linux/btf.h. */
function type(r: Reader): BtfType {
  const name = r.string();
  const info = r.u32();
  const n = info & 0xffff;
  const flag = info >>> 31 === 1;
  const kind = (info >>> 24) & 0x1f;
  const sizeOrType = r.u32();
  switch (kind) {
    case 1:
      return int(r, name, sizeOrType);
    case 2:
      return { kind: 'ptr', name: '', type: sizeOrType };
    case 3:
      return { kind: 'array', name: '', type: r.u32(), indexType: r.u32(), length: r.u32() };
    case 4:
    case 5:
      return {
        kind: kind === 4 ? 'struct' : 'union',
        name,
        size: sizeOrType,
        members: members(r, n, flag),
      };
    case 6:
      return enumeration(r, name, sizeOrType, n, flag, false);
    case 7:
      return { kind: 'fwd', name, of: flag ? 'union' : 'struct' };
    case 8:
      return { kind: 'typedef', name, type: sizeOrType };
    case 9:
      return { kind: 'volatile', name, type: sizeOrType };
    case 10:
      return { kind: 'const', name, type: sizeOrType };
    case 11:
      return { kind: 'restrict', name, type: sizeOrType };
    case 12:
      return { kind: 'func', name, type: sizeOrType };
    case 13: {
      const parameters = r.list(n, () => ({ name: r.string(), type: r.u32() }));
      return { kind: 'func_proto', name: '', type: sizeOrType, parameters };
    }
    case 14:
      return { kind: 'var', name, type: sizeOrType, linkage: LINKAGE[r.u32()] ?? 'static' };
    case 15: {
      const variables = r.list(n, () => ({ type: r.u32(), offset: r.u32(), size: r.u32() }));
      return { kind: 'datasec', name, size: sizeOrType, variables };
    }
    case 16:
      return { kind: 'float', name, size: sizeOrType };
    case 17:
      r.u32(); // which member or parameter it is about
      return { kind: 'decl_tag', name, type: sizeOrType };
    case 18:
      return { kind: 'type_tag', name, type: sizeOrType };
    case 19:
      return enumeration(r, name, sizeOrType, n, flag, true);
    default:
      throw badBtf(`has a type of an unknown kind, ${kind}`);
  }
}

/** All types, with `void` as number 0, and the strings. Checks lengths and strings; what types refer to is checked by the caller. */
export function parseBtf(v: DataView): { types: BtfType[]; strings: Strings } {
  try {
    const magic = v.getUint16(0, true);
    if (magic === 0x9feb) throw badBtf('is of a machine of the other byte order');
    if (magic !== 0xeb9f) throw badBtf('has the wrong magic number');
    const length = v.getUint32(4, true);
    const from = length + v.getUint32(8, true);
    const end = from + v.getUint32(12, true);
    const strings = length + v.getUint32(16, true);
    const stringsEnd = strings + v.getUint32(20, true);
    if (length < HEADER_MIN || end > v.byteLength || stringsEnd > v.byteLength || from % 4)
      throw badBtf('is truncated');
    if (strings < end && from < stringsEnd) throw badBtf('has types and strings in one place');
    const bytes = new Uint8Array(v.buffer, v.byteOffset + strings, stringsEnd - strings);
    if (bytes.length === 0 || bytes[0] !== 0 || bytes.at(-1) !== 0)
      throw badBtf('has strings without an end');
    const names = new Strings(bytes);
    const reader = new Reader(v, from, end, names);
    const types: BtfType[] = [{ kind: 'void', name: '' }];
    while (!reader.done) types.push(type(reader));
    return { types, strings: names };
  } catch (e) {
    if (e instanceof RangeError) throw badBtf('is truncated', e);
    throw e;
  }
}
