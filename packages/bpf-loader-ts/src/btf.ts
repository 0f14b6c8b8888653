import { BpfError } from './errors.js';

/** A variable of a data section. */
export interface BtfVariable {
  name: string;
  /** Bytes from the section's start. */
  offset: number;
  /** Bytes. */
  size: number;
}

/** A member of a structure: offset and size in bytes. Bitfields are not supported and are refused. */
export interface BtfMember {
  name: string;
  offset: number;
  size: number;
}

interface Type {
  name: string;
  kind: number;
  /** Bytes, or the id of the type referred to. */
  sizeOrType: number;
  members: { name: string; type: number; offset: number; size: number }[];
  /** Elements, for arrays. */
  count: number;
}

const KIND = { int: 1, ptr: 2, array: 3, struct: 4, union: 5, enum: 6, funcProto: 13, var: 14, datasec: 15, float: 16, declTag: 17, enum64: 19 };
/** typedef, volatile, const, restrict, type tag, and variables: look through them. */
const TRANSPARENT = new Set([8, 9, 10, 11, 14, 18]);

/** The type information of an object (Documentation/bpf/btf.rst). Little endian, as the machines this runs on. */
export class Btf {
  readonly #types: Type[] = [{ name: 'void', kind: 0, sizeOrType: 0, members: [], count: 0 }];

  constructor(raw: ArrayBuffer) {
    try {
      this.#parse(new DataView(raw));
    } catch (e) {
      if (e instanceof RangeError) throw new BpfError('BPF_OPEN', 'BTF is truncated', { cause: e });
      throw e;
    }
  }

  #parse(v: DataView): void {
    if (v.getUint16(0, true) !== 0xeb9f) throw new BpfError('BPF_OPEN', 'BTF has the wrong magic number or byte order');
    const header = v.getUint32(4, true);
    const types = header + v.getUint32(8, true);
    const end = types + v.getUint32(12, true);
    const strings = header + v.getUint32(16, true);
    const stringsEnd = strings + v.getUint32(20, true);
    const text = new TextDecoder();
    const str = (off: number): string => {
      let e = strings + off;
      while (e < stringsEnd && v.getUint8(e) !== 0) e++;
      return text.decode(new Uint8Array(v.buffer, v.byteOffset + strings + off, e - strings - off));
    };
    for (let at = types; at < end; ) {
      const info = v.getUint32(at + 4, true);
      const vlen = info & 0xffff;
      const kind = (info >>> 24) & 0x1f;
      const type: Type = { name: str(v.getUint32(at, true)), kind, sizeOrType: v.getUint32(at + 8, true), members: [], count: 0 };
      at += 12;
      if (kind === KIND.int || kind === KIND.var || kind === KIND.declTag) at += 4;
      else if (kind === KIND.array) {
        type.sizeOrType = v.getUint32(at, true);
        type.count = v.getUint32(at + 8, true);
        at += 12;
      } else if (kind === KIND.struct || kind === KIND.union || kind === KIND.datasec) {
        for (let i = 0; i < vlen; i++, at += 12) {
          const a = v.getUint32(at, true);
          const b = v.getUint32(at + 4, true);
          const c = v.getUint32(at + 8, true);
          type.members.push(
            kind === KIND.datasec
              ? { name: '', type: a, offset: b, size: c }
              : { name: str(a), type: b, offset: info >>> 31 ? (c & 0xffffff) | (c >>> 24 ? -1 : 0) : c, size: 0 },
          );
        }
      } else if (kind === KIND.enum || kind === KIND.funcProto) at += 8 * vlen;
      else if (kind === KIND.enum64) at += 12 * vlen;
      this.#types.push(type);
    }
  }

  #size(id: number, depth = 0): number {
    const t = this.#types[id];
    if (!t || depth > 32) throw new BpfError('BPF_OPEN', `BTF type ${id} does not exist or refers to itself`);
    if (t.kind === KIND.ptr) return 8;
    if (t.kind === KIND.array) return t.count * this.#size(t.sizeOrType, depth + 1);
    return TRANSPARENT.has(t.kind) ? this.#size(t.sizeOrType, depth + 1) : t.sizeOrType;
  }

  /** Variables of a section such as `.rodata` or `.bss`; none if the object has no such section. */
  section(name: string): BtfVariable[] {
    const sec = this.#types.find((t) => t.kind === KIND.datasec && t.name === name);
    return (sec?.members ?? []).map((m) => ({ name: this.#types[m.type]!.name, offset: m.offset, size: m.size }));
  }

  /** Size and members of a structure; undefined if the object has none of this name. */
  struct(name: string): { size: number; members: BtfMember[] } | undefined {
    const t = this.#types.find((x) => x.kind === KIND.struct && x.name === name);
    if (!t) return undefined;
    const members = t.members.map((m) => {
      if (m.offset < 0 || m.offset % 8) throw new BpfError('BPF_ARGUMENT', `${name}.${m.name} is a bitfield: not supported`);
      return { name: m.name, offset: m.offset / 8, size: this.#size(m.type) };
    });
    return { size: t.sizeOrType, members };
  }
}
