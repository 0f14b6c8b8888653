import { BpfError } from '../errors.js';
import { checkTypes } from './check.js';
import { parseBtf, Strings } from './parse.js';
import type { BtfComposite, BtfKind, BtfType, BtfTypeOf } from './types.js';

const FIELDS_MAX = 65536;

/** A variable of a data section. */
export interface BtfVariable {
  name: string;
  /** Bytes from the section's start. */
  offset: number;
  /** Bytes. */
  size: number;
  /** Number of its type, modifiers included. */
  type: number;
}

/** A member as a value is read: where it lies and which type it has. */
export interface BtfField {
  name: string;
  type: number;
  /** From the structure's start. */
  bitOffset: number;
  /** Width of a bitfield, 0 for any other. */
  bitSize: number;
  /** True for a member of a union: others share its place. */
  shared: boolean;
}

/**
 * Type information (Documentation/bpf/btf.rst) of an object file or of a kernel (/sys/kernel/btf/vmlinux). Little endian, as the machines
 * this runs on. The constructor checks every length, string, offset and type number and throws BPF_OPEN: libbpf, which reads the same
 * bytes later, does not.
 */
export class Btf {
  /** By number; 0 is void. */
  readonly types: readonly BtfType[];
  readonly #sizes: Float64Array;
  readonly #strings: Strings;

  /** Without bytes: of an object that has no type information. */
  constructor(raw?: ArrayBuffer | Uint8Array) {
    if (!raw) {
      this.types = [{ kind: 'void', name: '' }];
      this.#sizes = new Float64Array(1);
      this.#strings = new Strings(new Uint8Array(1));
      return;
    }
    const view =
      raw instanceof Uint8Array
        ? new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
        : new DataView(raw);
    const { types, strings } = parseBtf(view);
    this.types = types;
    this.#strings = strings;
    this.#sizes = checkTypes(types);
  }

  /** @internal The string at an offset; throws BPF_OPEN if there is none. */
  string(offset: number): string {
    return this.#strings.at(offset);
  }

  /** The type of this number. Throws BPF_ARGUMENT if there is none. */
  type(id: number): BtfType {
    const t = this.types[id];
    if (!t) throw new BpfError('BPF_ARGUMENT', `there is no type ${id}: there are ${this.types.length}`);
    return t;
  }

  /** The type behind typedefs, const and the like, with its number. */
  resolve(id: number): { id: number; type: Exclude<BtfType, { kind: 'typedef' }> } {
    const t = this.type(id);
    switch (t.kind) {
      case 'typedef':
      case 'volatile':
      case 'const':
      case 'restrict':
      case 'type_tag':
        return this.resolve(t.type);
      default:
        return { id, type: t };
    }
  }

  /** Bytes of a value of this type; 0 for functions, void and declarations. */
  size(id: number): number {
    this.type(id);
    return this.#sizes[id]!;
  }

  /** The first type of that kind and name, with its number. */
  find<K extends BtfKind>(kind: K, name: string): { id: number; type: BtfTypeOf<K> } | undefined {
    const id = this.types.findIndex((t) => t.kind === kind && t.name === name);
    return id < 0 ? undefined : { id, type: this.types[id] as BtfTypeOf<K> };
  }

  /** Variables of a section such as `.rodata` or `.bss`; none if the object has no such section. */
  section(name: string): BtfVariable[] {
    const found = this.find('datasec', name);
    return (found?.type.variables ?? []).flatMap((v) => {
      const variable = this.types[v.type]!;
      return variable.kind === 'var'
        ? [{ name: variable.name, offset: v.offset, size: v.size, type: variable.type }]
        : [];
    });
  }

  /** The members of a structure or union, those of anonymous ones within it among them, as C names them. */
  fields(composite: BtfComposite): BtfField[] {
    const all: BtfField[] = [];
    let visited = 0;
    // Anonymous structures within each other can be many more than the file has bytes.
    this.#collect(composite, 0, false, all, () => {
      if (++visited > FIELDS_MAX)
        throw new BpfError(
          'BPF_UNSUPPORTED',
          `${composite.kind} ${composite.name} has more than ${FIELDS_MAX} members`,
        );
    });
    return all;
  }

  #collect(composite: BtfComposite, base: number, within: boolean, all: BtfField[], visit: () => void): void {
    const shared = within || composite.kind === 'union';
    for (const m of composite.members) {
      visit();
      const { type } = this.resolve(m.type);
      const bitOffset = base + m.bitOffset;
      if (m.name === '') {
        if (type.kind === 'struct' || type.kind === 'union')
          this.#collect(type, bitOffset, shared, all, visit);
        continue;
      }
      const field = { name: m.name, type: m.type, bitOffset, bitSize: m.bitSize, shared };
      // Compilers before 2018 made an integer type of its own for each bitfield.
      if (m.bitSize === 0 && type.kind === 'int' && type.bits !== 8 * type.size)
        all.push({ ...field, bitOffset: bitOffset + type.bitOffset, bitSize: type.bits });
      else all.push(field);
    }
  }
}
