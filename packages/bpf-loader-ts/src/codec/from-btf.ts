import type { Btf, BtfField } from '../btf/btf.js';
import type { BtfType } from '../btf/types.js';
import { BpfError } from '../errors.js';
import { array, bytes, chars } from './array.js';
import { type Bits, bits, wideBits } from './bits.js';
import type { Codec } from './codec.js';
import { bool, f32, f64, integer } from './scalar.js';
import { alternative, alternativeBits, bitfield, type Field, type Fields, field, struct } from './struct.js';

/** A codec of a type that is known at run time only. */
// biome-ignore lint/suspicious/noExplicitAny: what it reads is known when it runs
export type AnyCodec = Codec<any, any>;

const refuse = (path: string, why: string): BpfError => new BpfError('BPF_UNSUPPORTED', `${path} ${why}`);

const IDENTIFIER = /^[A-Za-z_]\w*$/;
/** A member of this name would set an object's prototype. */
const UNSAFE = '__proto__';

const known = new WeakMap<Btf, Map<number, AnyCodec>>();

/**
 * The codec of a type. `path` names the value in errors. Throws BPF_UNSUPPORTED, naming the member, for what has no value outside of the
 * kernel: pointers, functions, types of which only the name is known.
 */
export function codecOf(btf: Btf, id: number, path: string): AnyCodec {
  const resolved = btf.resolve(id);
  const codecs = known.get(btf) ?? new Map<number, AnyCodec>();
  known.set(btf, codecs);
  const codec = codecs.get(resolved.id) ?? make(btf, resolved.type, path);
  codecs.set(resolved.id, codec);
  return codec;
}

function make(btf: Btf, type: BtfType, path: string): AnyCodec {
  switch (type.kind) {
    case 'int': {
      if (type.encoding === 'bool' && type.size === 1) return bool;
      const codec = type.bits === 8 * type.size ? integer(type.size, type.encoding === 'signed') : undefined;
      if (!codec) throw refuse(path, `is an integer of ${type.bits} bits in ${type.size} bytes`);
      return codec;
    }
    case 'enum':
      return integer(type.size, type.signed)!;
    case 'float':
      if (type.size !== 4 && type.size !== 8)
        throw refuse(path, `is a floating-point number of ${type.size} bytes`);
      return type.size === 4 ? f32 : f64;
    case 'array':
      return arrayOf(btf, type.type, type.length, path);
    case 'struct':
    case 'union': {
      const name = `${type.kind} ${type.name || '(anonymous)'}`;
      const fields: Record<string, Fields[string]> = {};
      for (const f of btf.fields(type)) {
        const own = `${type.name === '' ? path : name}.${f.name}`;
        if (!IDENTIFIER.test(f.name) || f.name === UNSAFE || Object.hasOwn(fields, f.name))
          throw refuse(own, 'has a name that cannot be a property');
        fields[f.name] = fieldOf(btf, f, own);
      }
      return struct(name, type.size, fields);
    }
    case 'ptr':
      throw refuse(path, 'is a pointer: it means nothing outside of the kernel');
    case 'var':
      return codecOf(btf, type.type, path);
    default:
      throw refuse(path, `is of kind ${type.kind}, which has no value`);
  }
}

/** The integer type named `char` is text in arrays, whichever sign the compiler gave it. */
const isChar = (btf: Btf, id: number): boolean => {
  const { type } = btf.resolve(id);
  return type.kind === 'int' && type.size === 1 && (type.name === 'char' || type.encoding === 'char');
};

function arrayOf(btf: Btf, element: number, length: number, path: string): AnyCodec {
  if (isChar(btf, element)) return chars(length);
  const { type } = btf.resolve(element);
  if (type.kind === 'int' && type.size === 1 && type.encoding === 'unsigned') return bytes(length);
  const codec = codecOf(btf, element, `${path}[]`);
  if (codec.size === 0 && length > 0) throw refuse(path, 'is an array of elements without a size');
  return array(codec, length);
}

function fieldOf(btf: Btf, f: BtfField, path: string): Field<unknown, unknown> {
  if (f.bitSize === 0) {
    const codec = codecOf(btf, f.type, path);
    return f.shared ? alternative(f.bitOffset / 8, codec) : field(f.bitOffset / 8, codec);
  }
  const { type } = btf.resolve(f.type);
  if ((type.kind !== 'int' && type.kind !== 'enum') || f.bitSize > 64)
    throw refuse(path, `is a bitfield of ${f.bitSize} bits`);
  const signed = type.kind === 'int' ? type.encoding === 'signed' : type.signed;
  const codec: AnyCodec =
    f.bitSize > 32 ? wideBits(f.bitOffset, f.bitSize, signed) : bits(f.bitOffset, f.bitSize, signed);
  const own = codec as Bits<unknown>;
  return f.shared ? alternativeBits(own) : bitfield(own);
}
