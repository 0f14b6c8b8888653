import type { Btf, BtfField } from '../btf/btf.js';
import type { BtfComposite, BtfEnum } from '../btf/types.js';
import { type AnyCodec, codecOf } from '../codec/from-btf.js';
import { Names, typedefName } from './names.js';
import { comment, identifier, property as nameOf, quote } from './text.js';

const SCALARS: Record<string, string> = {
  __u8: 'u8',
  __s8: 'i8',
  __u16: 'u16',
  __s16: 'i16',
  __u32: 'u32',
  __s32: 'i32',
  __u64: 'u64',
  __s64: 'i64',
  'unsigned __int128': 'u128',
  __int128: 'i128',
  bool: 'bool',
  float: 'f32',
  double: 'f64',
};

/** DataView's accessors of the types that a view reads directly. */
const ACCESSORS: Record<string, [name: string, type: 'number' | 'bigint', endian: boolean]> = {
  u8: ['Uint8', 'number', false],
  i8: ['Int8', 'number', false],
  u16: ['Uint16', 'number', true],
  i16: ['Int16', 'number', true],
  u32: ['Uint32', 'number', true],
  i32: ['Int32', 'number', true],
  u64: ['BigUint64', 'bigint', true],
  i64: ['BigInt64', 'bigint', true],
  f32: ['Float32', 'number', true],
  f64: ['Float64', 'number', true],
};

const SUFFIXES = ['Init', 'View'];

/** Writes TypeScript for the types of an object: each structure, union and enumeration once, those that others hold before them. */
export class TypeWriter {
  readonly #btf: Btf;
  readonly names = new Names();
  readonly #done = new Set<number>();
  readonly text: string[] = [];

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /**
   * An expression for the codec of a type, writing down first what it needs. `path` names the value in errors, `fallback` the type if C
   * does not. Throws BPF_UNSUPPORTED for a type without values.
   */
  codec(id: number, path: string, fallback: string): string {
    codecOf(this.#btf, id, path); // refuses what cannot be, before anything is written
    const { id: own, type } = this.#btf.resolve(id);
    switch (type.kind) {
      case 'struct':
      case 'union':
        return this.#composite(
          own,
          type,
          this.names.of(this.#btf, id, fallback, SUFFIXES),
          typedefName(this.#btf, id) ?? path,
        );
      case 'enum':
        this.#enum(own, type, id, fallback);
        return scalar(codecOf(this.#btf, id, path));
      case 'array': {
        const codec = codecOf(this.#btf, id, path);
        if (isText(codec)) return `bpf.${codec.name.startsWith('char') ? 'chars' : 'bytes'}(${type.length})`;
        return `bpf.array(${this.codec(type.type, `${path}[]`, fallback)}, ${type.length})`;
      }
      default:
        return scalar(codecOf(this.#btf, id, path));
    }
  }

  /** The name of the view of a structure or union that `codec` wrote; undefined for any other type. */
  view(id: number): string | undefined {
    const { type } = this.#btf.resolve(id);
    return type.kind === 'struct' || type.kind === 'union'
      ? `${this.names.of(this.#btf, id, '', SUFFIXES)}View`
      : undefined;
  }

  /** Writes an enumeration: an object of its values, or constants if it has no name. */
  #enum(own: number, type: BtfEnum, id: number, fallback: string): void {
    if (this.#done.has(own)) return;
    this.#done.add(own);
    const value = (v: bigint): string => (type.size === 8 ? `${v}n` : String(v));
    if (type.name === '' && this.#btf.type(id).kind !== 'typedef') {
      for (const v of type.values)
        this.text.push(`export const ${this.names.take(identifier(v.name))} = ${value(v.value)};\n`);
      return;
    }
    const name = this.names.of(this.#btf, id, fallback, []);
    const lines = type.values.map((v) => `  ${nameOf(v.name)}: ${value(v.value)},\n`).join('');
    this.text.push(
      `/** enum ${comment(type.name)}: ${type.size} bytes. */\nexport const ${name} = {\n${lines}} as const;\n` +
        `export type ${name} = (typeof ${name})[keyof typeof ${name}];\n`,
    );
  }

  #composite(own: number, type: BtfComposite, name: string, alias: string): string {
    if (this.#done.has(own)) return name;
    this.#done.add(own);
    const label = type.name === '' ? alias : `${type.kind} ${type.name}`;
    const fields = this.#btf.fields(type);
    const members = fields.map((f) => ({
      f,
      expression: this.#field(f, `${label}.${f.name}`, name + pascalOf(f)),
    }));
    const list = members.map((m) => `  ${m.f.name}: ${m.expression},\n`).join('');
    this.text.push(
      `/** ${comment(label)}: ${type.size} bytes. */\n` +
        `export const ${name} = bpf.struct(${quote(label)}, ${type.size}, {\n${list}});\n` +
        `export type ${name} = bpf.Value<typeof ${name}>;\n` +
        `export type ${name}Init = bpf.Input<typeof ${name}>;\n` +
        `/** ${comment(label)} where it lies. */\n` +
        `export class ${name}View extends bpf.StructView {\n` +
        fields.map((f) => this.#accessor(f, name, fields)).join('') +
        '}\n',
    );
    return name;
  }

  #field(f: BtfField, path: string, fallback: string): string {
    if (f.bitSize > 0) {
      // An enumeration is written down for its names; the codec is that of the bits.
      this.codec(f.type, path, fallback);
      const { type } = this.#btf.resolve(f.type);
      const signed = type.kind === 'int' ? type.encoding === 'signed' : type.kind === 'enum' && type.signed;
      const make = `bpf.${f.bitSize > 32 ? 'wideBits' : 'bits'}(${f.bitOffset}, ${f.bitSize}, ${signed})`;
      return `bpf.${f.shared ? 'alternativeBits' : 'bitfield'}(${make})`;
    }
    const codec = this.codec(f.type, path, fallback);
    return `bpf.${f.shared ? 'alternative' : 'field'}(${f.bitOffset / 8}, ${codec})`;
  }

  #accessor(f: BtfField, name: string, all: BtfField[]): string {
    // A class may have no accessor of this name.
    const property = f.name === 'constructor' ? 'constructor_' : f.name;
    const at = f.bitOffset === 0 || f.bitSize > 0 ? 'this.$at' : `this.$at + ${f.bitOffset / 8}`;
    const getter = (type: string, value: string): string =>
      `  get ${property}(): ${type} { return ${value}; }\n`;
    const setter = (type: string, store: string): string =>
      `  set ${property}(value: ${type}) { ${store}; }\n`;
    const { type } = this.#btf.resolve(f.type);
    const codec = codecOf(this.#btf, f.type, f.name);
    if (f.bitSize === 0) {
      const view = this.view(f.type);
      if (view) return getter(view, `new ${view}(this.$view, ${at})`);
      if (type.kind === 'array' && !isText(codec)) {
        const element = codecOf(this.#btf, type.type, f.name);
        const of = this.view(type.type);
        if (of)
          return getter(
            `bpf.StructArrayView<${of}>`,
            `new bpf.StructArrayView(${of}, ${element.size}, ${type.length}, this.$view, ${at})`,
          );
        const scalarName = SCALARS[element.name];
        if (scalarName)
          return getter(
            `bpf.ArrayViewOf<typeof bpf.${scalarName}>`,
            `new bpf.ArrayView(bpf.${scalarName}, ${type.length}, this.$view, ${at})`,
          );
      }
      const direct = ACCESSORS[SCALARS[codec.name] ?? ''];
      if (direct) {
        const [accessor, kind, endian] = direct;
        const little = endian ? ', true' : '';
        const number = `${f.name}Number`;
        const asNumber =
          kind === 'bigint' && !all.some((x) => x.name === number)
            ? `  /** Exact up to 2^53. */\n  get ${number}(): number { return bpf.read${accessor === 'BigUint64' ? 'U64' : 'I64'}(this.$view, ${at}); }\n`
            : '';
        return (
          getter(kind, `this.$view.get${accessor}(${at}${little})`) +
          setter(kind, `this.$view.set${accessor}(${at}, value${little})`) +
          asNumber
        );
      }
    }
    const own = `${name}.fields.${f.name}.codec`;
    return (
      getter(`bpf.Value<typeof ${own}>`, `${own}.read(this.$view, ${at})`) +
      setter(`bpf.Input<typeof ${own}>`, `${own}.write(this.$view, ${at}, value, '${f.name}')`)
    );
  }
}

const isText = (codec: AnyCodec): boolean => codec.name.startsWith('__u8[') || codec.name.startsWith('char[');
const scalar = (codec: AnyCodec): string => `bpf.${SCALARS[codec.name]}`;
const pascalOf = (f: BtfField): string => f.name[0]!.toUpperCase() + f.name.slice(1);
