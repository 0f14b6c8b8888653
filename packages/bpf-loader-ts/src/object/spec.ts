import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { native } from '../binding.js';
import { Btf } from '../btf/btf.js';
import { mapTypeName, progTypeName } from '../constants.js';
import { BpfError } from '../errors.js';
import { wrap } from '../wrap.js';
import { checkElf } from './elf.js';
import { type BpfObject, type LoadOptions, loadObject } from './object.js';

/** A map as the object file describes it. */
export interface MapSpec {
  name: string;
  /** MapType. */
  type: number;
  /** As bpftool says it: `percpu_hash`. */
  typeName: string;
  /** Bytes. */
  keySize: number;
  /** Bytes; of one CPU's value for per-CPU maps. */
  valueSize: number;
  maxEntries: number;
  flags: number;
  mapExtra: number;
  /** True for .rodata, .data, .bss and the like. */
  internal: boolean;
  /** Numbers of the types of key and value in `btf`; 0 where the source names none. */
  keyType: number;
  valueType: number;
  /** Where libbpf pins it at load, or takes it from (LIBBPF_PIN_BY_NAME). */
  pinPath?: string;
  /** What the maps of a map of maps are like. */
  inner?: MapSpec;
}

/** A program as the object file describes it. */
export interface ProgramSpec {
  name: string;
  /** `tc`, `xdp`, `kprobe/do_exit` … */
  section: string;
  /** ProgType. */
  type: number;
  typeName: string;
  /** AttachType. */
  expectedAttachType: number;
  /** Before relocation. */
  instructions: number;
}

/** A global variable as the object file describes it. */
export interface VariableSpec {
  name: string;
  /** `.rodata`, `.data`, `.bss`, `.data.custom` … */
  section: string;
  /** Bytes from the section's start. */
  offset: number;
  /** Bytes. */
  size: number;
  /** Number of its type in `btf`. */
  type: number;
  /** Of `.rodata` (set before load, fixed after it) or `.kconfig` (set by libbpf from the kernel's configuration). */
  constant: boolean;
}

/** What parseSpec() may be told. */
export interface SpecOptions {
  /** Prefix of the names of .rodata and .bss maps, up to 15 characters; from the file's name unless given. */
  name?: string;
}

/** What an object file has, as plain data: read without the kernel, usable any number of times, nothing to close. */
export interface BpfSpec {
  readonly name: string;
  /** SHA-256 of the file, in hexadecimal digits. */
  readonly sha256: string;
  /** `GPL`; empty if the object has none. */
  readonly license: string;
  readonly maps: readonly MapSpec[];
  readonly programs: readonly ProgramSpec[];
  readonly variables: readonly VariableSpec[];
  /** Types, with the offsets of all variables. */
  readonly btf: Btf;
  /**
   * Makes the maps and loads the programs: one object, to be closed, for every call. Linux 5.2 + BTF for CO-RE. Throws BPF_VERIFIER, BPF_LOAD,
   * BPF_MAP, BPF_PERMISSION, and BPF_ARGUMENT for names that the object does not have and values that do not fit.
   */
  load(options?: LoadOptions): BpfObject;
}

function readObject(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (e) {
    throw new BpfError('BPF_OPEN', `open ${path}: ${(e as Error).message}`, { cause: e });
  }
}

/** The section of an internal map: libbpf puts the object's name before the standard ones. */
export const sectionOf = (map: MapSpec): string => map.name.slice(map.name.indexOf('.'));

type NativeMap = Omit<MapSpec, 'typeName' | 'inner'> & { inner?: NativeMap };
const withNames = (m: NativeMap): MapSpec => {
  const { inner, ...rest } = m;
  return { ...rest, typeName: mapTypeName(m.type), ...(inner && { inner: withNames(inner) }) };
};

/**
 * Reads an object file: a path or its bytes. Touches no kernel interface, needs no privileges. Throws BPF_OPEN for what is no BPF object,
 * or a damaged one, and says what is wrong with it.
 */
export function parseSpec(source: string | Uint8Array, options: SpecOptions = {}): BpfSpec {
  // A copy: what is checked here is what libbpf reads, whoever else may write to the memory.
  const bytes = typeof source === 'string' ? readObject(source) : Uint8Array.from(source);
  const given = options.name ?? (typeof source === 'string' ? basename(source).split('.')[0]! : 'object');
  const name = given.slice(0, 15);
  const { license } = checkElf(bytes);
  const handle = wrap('BPF_OPEN', `open ${name}`, () => native.objectOpen(bytes, name, 0) as unknown);
  try {
    const info = native.objectInfo(handle) as {
      maps: NativeMap[];
      programs: Omit<ProgramSpec, 'typeName'>[];
    };
    const maps = info.maps.map(withNames);
    // libbpf fills in where variables lie when it opens the object; in the file clang leaves their offsets 0.
    const btf = new Btf(native.objectBtf(handle) as ArrayBuffer | undefined);
    const variables = maps
      .filter((m) => m.internal)
      .flatMap((m) => {
        const section = sectionOf(m);
        const constant = section.startsWith('.rodata') || section === '.kconfig';
        return btf.section(section).map((v) => ({ ...v, section, constant }));
      });
    return Object.freeze({
      name,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      license,
      maps,
      programs: info.programs.map((p) => ({ ...p, typeName: progTypeName(p.type) })),
      variables,
      btf,
      load(this: BpfSpec, loadOptions: LoadOptions = {}) {
        return loadObject(this, bytes, loadOptions);
      },
    });
  } finally {
    native.objectClose(handle);
  }
}
