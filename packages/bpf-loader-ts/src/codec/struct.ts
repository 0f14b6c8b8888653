import { BpfError } from '../errors.js';
import type { Bits } from './bits.js';
import { type Codec, type Input, refuseValue, type Value } from './codec.js';

/** A member: its codec, where it begins, and whether writing must be given it (no member of a union is). */
export interface Field<T, I, Required extends boolean = boolean> {
  /** Bytes from the structure's start; of a bitfield, those of the byte that it begins in. */
  readonly offset: number;
  readonly codec: Codec<T, I>;
  readonly required: Required;
  /** Bytes added to the structure's place for the codec: a bitfield counts from the structure's start by itself. */
  readonly base: number;
}

const isBits = (codec: object): codec is Bits<unknown> => 'bit' in codec;
const make = <T, I, R extends boolean>(
  offset: number,
  codec: Codec<T, I> | Bits<T, I>,
  required: R,
): Field<T, I, R> =>
  isBits(codec)
    ? { offset: codec.bit >>> 3, codec: codec as Codec<T, I>, required, base: 0 }
    : { offset, codec, required, base: offset };

/** A member of a structure at `offset` bytes. */
export const field = <T, I>(offset: number, codec: Codec<T, I>): Field<T, I, true> =>
  make(offset, codec, true);
/** A member that shares its place with others: of a union, or an anonymous union. Written only when given. */
export const alternative = <T, I>(offset: number, codec: Codec<T, I>): Field<T, I, false> =>
  make(offset, codec, false);
/** A bitfield: `bits()` knows where it lies. */
export const bitfield = <T, I>(codec: Bits<T, I>): Field<T, I, true> => make(0, codec, true);
/** A bitfield of a union. */
export const alternativeBits = <T, I>(codec: Bits<T, I>): Field<T, I, false> => make(0, codec, false);

/** Members of a structure or union by name. */
// biome-ignore lint/suspicious/noExplicitAny: a member of any type
export type Fields = Readonly<Record<string, Field<any, any>>>;

type ValueOf<F extends Fields> = { [K in keyof F]: Value<F[K]['codec']> };
type InputOf<F extends Fields> = {
  [K in keyof F as F[K] extends Field<unknown, never, true> ? K : never]: Input<F[K]['codec']>;
} & { [K in keyof F as F[K] extends Field<unknown, never, true> ? never : K]?: Input<F[K]['codec']> };

export interface StructCodec<F extends Fields> extends Codec<ValueOf<F>, InputOf<F>> {
  readonly fields: F;
  /** Bytes from the start to each member: what typed arrays over mapped memory are indexed with. */
  readonly offsets: { readonly [K in keyof F]: number };
}

/**
 * A structure or union. Reading gives every member (those of a union are views of the same bytes); writing wants every member of a
 * structure and at least one of a union, and refuses names that it does not have. Padding is left as it is.
 */
export function struct<F extends Fields>(name: string, size: number, fields: F): StructCodec<F> {
  const entries = Object.entries(fields);
  const offsets = Object.freeze(Object.fromEntries(entries.map(([k, f]) => [k, f.offset])));
  const alternatives = entries.length > 0 && entries.every(([, f]) => !f.required);
  return {
    name,
    size,
    fields,
    offsets: offsets as StructCodec<F>['offsets'],
    read(view, at) {
      const value: Record<string, unknown> = {};
      for (const [k, f] of entries) value[k] = f.codec.read(view, at + f.base);
      return value as ValueOf<F>;
    },
    write(view, at, value, path) {
      if (typeof value !== 'object' || value === null) throw refuseValue(path, value, `an object (${name})`);
      for (const k of Object.keys(value))
        if (!Object.hasOwn(fields, k))
          throw new BpfError(
            'BPF_ARGUMENT',
            `${path}.${k}: ${name} has no such member; it has ${Object.keys(fields).join(', ')}`,
          );
      let written = 0;
      for (const [k, f] of entries) {
        const part = (value as Record<string, unknown>)[k];
        if (part === undefined && !f.required) continue;
        if (part === undefined) throw refuseValue(`${path}.${k}`, part, `a value for ${name}.${k}`);
        f.codec.write(view, at + f.base, part, `${path}.${k}`);
        written++;
      }
      if (alternatives && written === 0)
        throw new BpfError(
          'BPF_ARGUMENT',
          `${path}: give one member of ${name}: ${Object.keys(fields).join(', ')}`,
        );
    },
  };
}
