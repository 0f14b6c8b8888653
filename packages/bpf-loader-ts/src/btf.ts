import { BpfError } from './errors.js';

/** A variable of a data section. */
export interface BtfVariable {
  name: string;
  /** Bytes from the section's start. */
  offset: number;
  /** Bytes. */
  size: number;
  /** True for an integer, a boolean or an enumeration: what a constant can be set to. */
  integer: boolean;
}

/** A member of a structure: offset and size in bytes. Bitfields are not supported and are refused. */
export interface BtfMember {
  name: string;
  offset: number;
  size: number;
}

interface Ref {
  name: string;
  type: number;
  offset: number;
  size: number;
}

interface Type {
  name: string;
  kind: number;
  /** Bytes, or the id of the type referred to. */
  sizeOrType: number;
  /** Members of structures, parameters of functions, variables of sections. */
  refs: Ref[];
  /** Elements, for arrays. */
  count: number;
}

const KIND = {
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  func: 12,
  funcProto: 13,
  var: 14,
  datasec: 15,
  declTag: 17,
  enum64: 19,
} as const;
const LAST_KIND = 19;
/** typedef, volatile, const, restrict, type tag, and variables: look through them. */
const TRANSPARENT = new Set<number>([8, 9, 10, 11, 14, 18]);
/** Kinds whose `sizeOrType` is a type. */
const REFERS = new Set<number>([
  ...TRANSPARENT,
  KIND.ptr,
  KIND.func,
  KIND.funcProto,
  KIND.array,
  KIND.declTag,
]);
/** The kernel's limit (KSYM_NAME_LEN). */
const NAME_MAX = 512;
/** Types within types: real ones stay far below. */
const DEPTH_MAX = 64;

const bad = (why: string, cause?: unknown): BpfError => new BpfError('BPF_OPEN', `BTF ${why}`, { cause });

/** Strings of BTF, by offset. */
class Strings {
  readonly #bytes: Uint8Array;
  readonly #text = new TextDecoder();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  at(offset: number): string {
    const end = this.#bytes.indexOf(0, offset);
    if (offset >= this.#bytes.length || end < 0 || end - offset > NAME_MAX)
      throw bad(`has a bad string at ${offset}`);
    return this.#text.decode(this.#bytes.subarray(offset, end));
  }
}

/**
 * The type information of an object (Documentation/bpf/btf.rst). Little endian, as the machines this runs on. The constructor checks
 * every length, string and type number: libbpf, which reads the same bytes later, does not.
 */
export class Btf {
  readonly #types: Type[] = [{ name: 'void', kind: 0, sizeOrType: 0, refs: [], count: 0 }];
  readonly #strings: Strings = new Strings(new Uint8Array(1));

  /** Without bytes: of an object that has no type information. */
  constructor(raw?: ArrayBuffer | Uint8Array) {
    if (!raw) return;
    const v =
      raw instanceof Uint8Array
        ? new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
        : new DataView(raw);
    try {
      const header = this.#header(v);
      this.#strings = header.strings;
      this.#parse(v, header.types, header.end);
    } catch (e) {
      if (e instanceof RangeError) throw bad('is truncated', e);
      throw e;
    }
    this.#check();
  }

  #header(v: DataView): { types: number; end: number; strings: Strings } {
    if (v.getUint16(0, true) !== 0xeb9f) throw bad('has the wrong magic number or byte order');
    const length = v.getUint32(4, true);
    const types = length + v.getUint32(8, true);
    const end = types + v.getUint32(12, true);
    const strings = length + v.getUint32(16, true);
    const stringsEnd = strings + v.getUint32(20, true);
    if (length < 24 || end > v.byteLength || stringsEnd > v.byteLength || types % 4)
      throw bad('is truncated');
    if (strings < end && types < stringsEnd) throw bad('has types and strings in one place');
    const bytes = new Uint8Array(v.buffer, v.byteOffset + strings, stringsEnd - strings);
    if (bytes.length === 0 || bytes[0] !== 0 || bytes.at(-1) !== 0) throw bad('has strings without an end');
    return { types, end, strings: new Strings(bytes) };
  }

  #parse(v: DataView, types: number, end: number): void {
    let at = types;
    const u32 = (): number => {
      if (at + 4 > end) throw new RangeError('types');
      at += 4;
      return v.getUint32(at - 4, true);
    };
    while (at < end) {
      const name = this.#strings.at(u32());
      const info = u32();
      const vlen = info & 0xffff;
      const kind = (info >>> 24) & 0x1f;
      const bitfields = info >>> 31 === 1;
      const type: Type = { name, kind, sizeOrType: u32(), refs: [], count: 0 };
      if (kind === 0 || kind > LAST_KIND) throw bad(`has a type of an unknown kind, ${kind}`);
      if (kind === KIND.int || kind === KIND.var || kind === KIND.declTag) u32();
      else if (kind === KIND.array) {
        type.sizeOrType = u32();
        type.refs.push({ name: '', type: u32(), offset: 0, size: 0 });
        type.count = u32();
      } else if (kind === KIND.struct || kind === KIND.union) {
        for (let i = 0; i < vlen; i++) {
          const member = { name: this.#strings.at(u32()), type: u32(), offset: u32(), size: 0 };
          if (bitfields) member.offset = member.offset >>> 24 ? -1 : member.offset;
          type.refs.push(member);
        }
      } else if (kind === KIND.datasec) {
        for (let i = 0; i < vlen; i++) type.refs.push({ name: '', type: u32(), offset: u32(), size: u32() });
      } else if (kind === KIND.funcProto) {
        for (let i = 0; i < vlen; i++)
          type.refs.push({ name: this.#strings.at(u32()), type: u32(), offset: 0, size: 0 });
      } else if (kind === KIND.enum || kind === KIND.enum64) {
        for (let i = 0; i < vlen; i++) {
          this.#strings.at(u32());
          u32();
          if (kind === KIND.enum64) u32();
        }
      }
      this.#types.push(type);
    }
  }

  /** Types referred to exist and are of the kind they must be; no type contains itself. */
  #check(): void {
    const depth = new Int32Array(this.#types.length);
    this.#types.forEach((t, id) => {
      if (REFERS.has(t.kind) && t.sizeOrType >= this.#types.length)
        throw bad(`type ${id} refers to a type that does not exist`);
      for (const r of t.refs) {
        const to = this.#types[r.type];
        if (!to) throw bad(`type ${id} refers to a type that does not exist`);
        if (t.kind === KIND.datasec && to.kind !== KIND.var && to.kind !== KIND.func)
          throw bad(`section ${t.name} holds no variable`);
      }
      if (t.kind === KIND.func && this.#types[t.sizeOrType]!.kind !== KIND.funcProto)
        throw bad(`function ${t.name} has no prototype`);
    });
    for (let id = 0; id < depth.length; id++) this.#depth(id, depth, 0);
  }

  /** Levels of types that a type holds by value, computed once for each. */
  #depth(id: number, known: Int32Array, level: number): number {
    if (known[id]! > 0) return known[id]!;
    if (level > DEPTH_MAX) throw bad(`type ${id} refers to itself, or holds more than ${DEPTH_MAX} levels`);
    const t = this.#types[id]!;
    let deepest = 0;
    if (TRANSPARENT.has(t.kind) || t.kind === KIND.array)
      deepest = this.#depth(t.sizeOrType, known, level + 1);
    if (t.kind === KIND.struct || t.kind === KIND.union || t.kind === KIND.datasec)
      for (const r of t.refs) deepest = Math.max(deepest, this.#depth(r.type, known, level + 1));
    if (deepest >= DEPTH_MAX) throw bad(`type ${id} holds more than ${DEPTH_MAX} levels`);
    known[id] = deepest + 1;
    return known[id]!;
  }

  /** Types there are, void among them. */
  get length(): number {
    return this.#types.length;
  }

  /** @internal The string at an offset; throws BPF_OPEN if there is none. */
  string(offset: number): string {
    return this.#strings.at(offset);
  }

  /** @internal */
  isFunction(id: number): boolean {
    return this.#types[id]?.kind === KIND.func;
  }

  #resolve(id: number): Type {
    const t = this.#types[id]!;
    return TRANSPARENT.has(t.kind) ? this.#resolve(t.sizeOrType) : t;
  }

  #size(id: number): number {
    const t = this.#resolve(id);
    if (t.kind === KIND.ptr) return 8;
    return t.kind === KIND.array ? t.count * this.#size(t.sizeOrType) : t.sizeOrType;
  }

  /** Variables of a section such as `.rodata` or `.bss`; none if the object has no such section. */
  section(name: string): BtfVariable[] {
    const sec = this.#types.find((t) => t.kind === KIND.datasec && t.name === name);
    return (sec?.refs ?? []).map((m) => {
      const { kind } = this.#resolve(m.type);
      const integer = kind === KIND.int || kind === KIND.enum || kind === KIND.enum64;
      return { name: this.#types[m.type]!.name, offset: m.offset, size: m.size, integer };
    });
  }

  /** Names of the structures, in order; one may come twice, and unnamed ones are left out. */
  structNames(): string[] {
    return this.#types.filter((t) => t.kind === KIND.struct && t.name !== '').map((t) => t.name);
  }

  /** Size and members of a structure; undefined if the object has none of this name. */
  struct(name: string): { size: number; members: BtfMember[] } | undefined {
    const t = this.#types.find((x) => x.kind === KIND.struct && x.name === name);
    if (!t) return undefined;
    const members = t.refs.map((m) => {
      if (m.offset < 0 || m.offset % 8)
        throw new BpfError('BPF_ARGUMENT', `${name}.${m.name} is a bitfield: not supported`);
      return { name: m.name, offset: m.offset / 8, size: this.#size(m.type) };
    });
    return { size: t.sizeOrType, members };
  }
}
