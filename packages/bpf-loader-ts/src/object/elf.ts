import { Btf } from '../btf/btf.js';
import { checkBtfExt } from '../btf/ext.js';
import { BpfError } from '../errors.js';

/**
 * Checks an object file before libbpf reads it: libbpf and libelf follow offsets and indices of a damaged file out of its memory and
 * take the process with them. What passes here may still be refused by libbpf, with an error.
 */

const EHDR = 64;
const SHDR = 64;
const SYM = 24;
const REL = 16;
const EM_BPF = 247;
const SHT = {
  null: 0,
  progbits: 1,
  symtab: 2,
  strtab: 3,
  rela: 4,
  nobits: 8,
  rel: 9,
  symtabShndx: 18,
} as const;
const SHF_EXECINSTR = 4;
const SHF_COMPRESSED = 0x800;
/** From here on section numbers are not indices: absolute, common … */
const SHN_LORESERVE = 0xff00;
const STT_FUNC = 2;
const STT_SECTION = 3;
/** BPF_JMP | BPF_CALL, with BPF_PSEUDO_CALL as its source register: a call of a function of the file. */
const CALL = 0x85;
const PSEUDO_CALL = 1;
/** No BPF object comes near. */
const SIZE_MAX = 256 * 1024 * 1024;

interface Section {
  index: number;
  name: string;
  type: number;
  flags: number;
  offset: number;
  size: number;
  link: number;
  info: number;
  entsize: number;
}

const bad = (why: string, cause?: unknown): BpfError =>
  new BpfError('BPF_OPEN', `the object file ${why}`, { cause });

class Elf {
  readonly #v: DataView;
  readonly #bytes: Uint8Array;
  readonly sections: Section[];
  /** Symbols of relocated instructions, by `section offset`. */
  readonly #relocated = new Map<string, number>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#header();
    this.sections = this.#sections();
  }

  /** A 64-bit number; above 2^53 it is larger than any file, exact or not. */
  #u64(at: number): number {
    return this.#v.getUint32(at + 4, true) * 0x100000000 + this.#v.getUint32(at, true);
  }

  #header(): void {
    const v = this.#v;
    if (v.byteLength > SIZE_MAX) throw bad(`is ${v.byteLength} bytes long`);
    if (v.byteLength < EHDR || v.getUint32(0, false) !== 0x7f454c46) throw bad('is not an ELF file');
    if (v.getUint8(5) === 2) throw bad('is for big-endian machines: compile it with `-target bpf` or bpfel');
    if (v.getUint8(4) !== 2 || v.getUint8(5) !== 1) throw bad('is not a 64-bit little-endian ELF file');
    if (v.getUint16(16, true) !== 1)
      throw bad('is not relocatable: it must come from `clang -target bpf -c`');
    if (v.getUint16(18, true) !== EM_BPF)
      throw bad('is not for BPF: it must come from `clang -target bpf -c`');
    if (v.getUint16(56, true) !== 0) throw bad('has program headers');
  }

  #sections(): Section[] {
    const v = this.#v;
    const table = this.#u64(40);
    const n = v.getUint16(60, true);
    const names = v.getUint16(62, true);
    if (
      v.getUint16(58, true) !== SHDR ||
      n === 0 ||
      n >= SHN_LORESERVE ||
      table % 8 ||
      table + n * SHDR > v.byteLength
    )
      throw bad('has a section table outside of the file');
    const list = Array.from({ length: n }, (_, index) => {
      const at = table + index * SHDR;
      const s = {
        index,
        nameAt: v.getUint32(at, true),
        name: '',
        type: v.getUint32(at + 4, true),
        flags: this.#u64(at + 8),
        offset: this.#u64(at + 24),
        size: this.#u64(at + 32),
        link: v.getUint32(at + 40, true),
        info: v.getUint32(at + 44, true),
        entsize: this.#u64(at + 56),
      };
      const align = this.#u64(at + 48);
      if (s.type === SHT.null) return { ...s, size: 0, offset: 0 };
      if (s.size > SIZE_MAX || (s.type !== SHT.nobits && s.offset + s.size > v.byteLength))
        throw bad(`has section ${index} outside of the file`);
      if (
        align > 1 &&
        (align > 4096 || (align & (align - 1)) !== 0 || (s.type !== SHT.nobits && s.offset % align !== 0))
      )
        throw bad(`has section ${index} at an address that is not aligned`);
      if (s.flags & SHF_COMPRESSED) throw bad(`has section ${index} compressed`);
      return s;
    });
    if (list[0]!.type !== SHT.null || list[names]?.type !== SHT.strtab) throw bad('has no names of sections');
    for (const s of list.slice(1)) s.name = this.string(list[names]!, s.nameAt);
    return list;
  }

  data(s: Section): Uint8Array {
    return s.type === SHT.nobits ? new Uint8Array(0) : this.#bytes.subarray(s.offset, s.offset + s.size);
  }

  string(table: Section, offset: number): string {
    const bytes = this.data(table);
    const end = bytes.indexOf(0, offset);
    if (offset >= bytes.length || end < 0 || end - offset > 4096)
      throw bad(`has a bad name at ${offset} of section ${table.index}`);
    return new TextDecoder('latin1').decode(bytes.subarray(offset, end));
  }

  only(name: string): Section | undefined {
    const found = this.sections.filter((s) => s.name === name);
    if (found.length > 1) throw bad(`has ${found.length} sections ${name}`);
    return found[0];
  }

  /** Symbols: where each is lies in its section. Returns how many there are. */
  checkSymbols(): { table: Section; count: number } {
    const tables = this.sections.filter((s) => s.type === SHT.symtab);
    const table = tables[0];
    if (!table || tables.length > 1) throw bad(`has ${tables.length} symbol tables, not one`);
    if (this.sections.some((s) => s.type === SHT.symtabShndx))
      throw bad('has more sections than are supported');
    const strings = this.sections[table.link];
    if (strings?.type !== SHT.strtab || table.entsize !== SYM || table.size % SYM)
      throw bad('has a symbol table of another shape');
    const count = table.size / SYM;
    for (let i = 1; i < count; i++) {
      const at = table.offset + i * SYM;
      this.string(strings, this.#v.getUint32(at, true));
      const type = this.#v.getUint8(at + 4) & 15;
      const shndx = this.#v.getUint16(at + 6, true);
      if (shndx === 0 || shndx >= SHN_LORESERVE) continue;
      const s = this.sections[shndx];
      const value = this.#u64(at + 8);
      if (!s || value + this.#u64(at + 16) > s.size) throw bad(`has symbol ${i} outside of its section`);
      if (type === STT_FUNC && value % 8)
        throw bad(`has function symbol ${i} in the middle of an instruction`);
      if (type === STT_SECTION && value !== 0)
        throw bad(`has section symbol ${i} in the middle of its section`);
    }
    return { table, count };
  }

  /** Relocations: each changes an instruction (or a word) of its section and names a symbol that exists. */
  checkRelocations(symbols: { table: Section; count: number }): void {
    for (const s of this.sections) {
      if (s.type === SHT.rela) throw bad(`has relocations with addends in section ${s.name}`);
      if (s.type !== SHT.rel) continue;
      const target = this.sections[s.info];
      if (s.entsize !== REL || s.size % REL || s.link !== symbols.table.index || !target || s.info === 0)
        throw bad(`has relocations of another shape in section ${s.name}`);
      const code = (target.flags & SHF_EXECINSTR) !== 0;
      for (let at = s.offset; at < s.offset + s.size; at += REL) {
        const offset = this.#u64(at);
        const symbol = this.#v.getUint32(at + 12, true);
        // An instruction of 64 bits takes 16 bytes; of data, 8 at most are changed.
        if (symbol >= symbols.count || offset + (code ? 8 : 4) > target.size || (code && offset % 8 !== 0))
          throw bad(`has a relocation outside of section ${target.name}`);
        if (code && (this.data(target)[offset] ?? 0) === 0x18 && offset + 16 > target.size)
          throw bad(`has half an instruction at the end of section ${target.name}`);
        if (code) this.#relocated.set(`${s.info} ${offset}`, symbol);
      }
    }
  }

  /**
   * Calls between functions. libbpf puts the called one behind the program that calls; to a program that calls itself it does so twice over,
   * and frees its memory as often. Only .text may have calls without a relocation, since only there a function is not a program.
   */
  checkCalls(symbols: { table: Section; count: number }): void {
    const functions = this.#functions(symbols);
    for (const s of this.sections) {
      if (!(s.flags & SHF_EXECINSTR) || s.type !== SHT.progbits) continue;
      const code = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + s.offset, s.size);
      for (let at = 0; at + 8 <= s.size; at += code.getUint8(at) === 0x18 ? 16 : 8) {
        if (code.getUint8(at) !== CALL || code.getUint8(at + 1) >>> 4 !== PSEUDO_CALL) continue;
        const callee = this.#callee(symbols.table, s, at, code.getInt32(at + 4, true));
        if (callee === undefined) continue;
        const within = functions.get(s.index)?.find((f) => at >= f.from && at < f.to);
        if (within && callee.section === s.index && callee.at >= within.from && callee.at < within.to)
          throw bad(`has a function that calls itself in section ${s.name}`);
      }
    }
  }

  /** Where a call goes; undefined for one of the kernel's functions. */
  #callee(table: Section, s: Section, at: number, imm: number): { section: number; at: number } | undefined {
    const symbol = this.#relocated.get(`${s.index} ${at}`);
    if (symbol === undefined) {
      if (s.name !== '.text') throw bad(`has a call without a relocation in section ${s.name}`);
      return { section: s.index, at: at + (imm + 1) * 8 };
    }
    const entry = table.offset + symbol * SYM;
    const section = this.#v.getUint16(entry + 6, true);
    if (section === 0 || section >= SHN_LORESERVE) return undefined;
    const base = (this.#v.getUint8(entry + 4) & 15) === STT_SECTION ? (imm + 1) * 8 : 0;
    return { section, at: this.#u64(entry + 8) + base };
  }

  /** Functions by the number of their section. */
  #functions(symbols: { table: Section; count: number }): Map<number, { from: number; to: number }[]> {
    const found = new Map<number, { from: number; to: number }[]>();
    for (let i = 1; i < symbols.count; i++) {
      const at = symbols.table.offset + i * SYM;
      if ((this.#v.getUint8(at + 4) & 15) !== STT_FUNC) continue;
      const section = this.#v.getUint16(at + 6, true);
      const from = this.#u64(at + 8);
      found.set(section, [...(found.get(section) ?? []), { from, to: from + this.#u64(at + 16) }]);
    }
    return found;
  }
}

export interface CheckedElf {
  /** As the file has it: sizes and offsets of data sections are filled in by libbpf. */
  btf: Btf;
  /** Of the `license` section; empty without one. */
  license: string;
}

/** An object file whose every offset and index has been checked. Throws BPF_OPEN. */
export function checkElf(bytes: Uint8Array): CheckedElf {
  try {
    const elf = new Elf(bytes);
    const symbols = elf.checkSymbols();
    elf.checkRelocations(symbols);
    elf.checkCalls(symbols);
    const code = new Map<string, number>();
    for (const s of elf.sections) {
      if (!(s.flags & SHF_EXECINSTR) || s.type !== SHT.progbits) continue;
      if (s.size % 8) throw bad(`has half an instruction in section ${s.name}`);
      code.set(s.name, s.size);
    }
    const btf = elf.only('.BTF');
    const ext = elf.only('.BTF.ext');
    const types = new Btf(btf && elf.data(btf));
    if (ext && btf) checkBtfExt(elf.data(ext), types, code);
    const license = elf.only('license');
    return { btf: types, license: license && license.size > 0 ? elf.string(license, 0) : '' };
  } catch (e) {
    if (e instanceof RangeError) throw bad('is truncated', e);
    throw e;
  }
}
