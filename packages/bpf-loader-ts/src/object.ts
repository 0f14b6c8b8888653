import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { native } from './binding.js';
import { Btf } from './btf.js';
import { BpfError, wrap } from './errors.js';
import { BpfMap } from './map.js';
import { Program } from './program.js';

export interface MapSpec {
  name: string;
  type: number;
  keySize: number;
  valueSize: number;
  maxEntries: number;
  flags: number;
  /** True for .rodata, .data, .bss and the like. */
  internal: boolean;
}

export interface ProgramSpec {
  name: string;
  section: string;
  type: number;
  expectedAttachType: number;
  /** Before relocation. */
  instructions: number;
}

export interface OpenOptions {
  /** Prefix of the names of .rodata and .bss maps; from the file's name unless given. */
  name?: string;
  /** 0 none, 1 the verifier's account of a load, 2 with all state. libbpf asks for 1 by itself when a load fails. */
  logLevel?: 0 | 1 | 2;
}

export interface LoadOptions {
  /** Maps to use instead of making new ones, by name. The object keeps its own duplicate of the descriptor. */
  reuse?: Record<string, BpfMap>;
  /** Sizes of maps, by name. */
  maxEntries?: Record<string, number>;
  /** Integer constants of .rodata, by name. */
  constants?: Record<string, number>;
  /** Programs not to load. */
  skip?: string[];
  /** expected_attach_type of programs, by name (AttachType). */
  attachTypes?: Record<string, number>;
}

/** A BPF object file. Opening is free of the kernel; `load()` makes maps and programs. Linux 5.8 for ring buffers, BTF for CO-RE. */
export class BpfObject implements Disposable {
  readonly maps: readonly MapSpec[];
  readonly programs: readonly ProgramSpec[];
  readonly btf: Btf;
  readonly #handle: unknown;
  readonly #open: (BpfMap | Program)[] = [];
  #state: 'opened' | 'loaded' | 'closed' = 'opened';

  constructor(source: string | Uint8Array, options: OpenOptions = {}) {
    const bytes = typeof source === 'string' ? readFileSync(source) : source;
    const name = options.name ?? (typeof source === 'string' ? basename(source).split('.')[0]! : 'object');
    this.#handle = wrap('BPF_OPEN', `open ${name}`, () => native.objectOpen(bytes, name.slice(0, 63), options.logLevel ?? 0));
    const info = native.objectInfo(this.#handle) as { maps: MapSpec[]; programs: ProgramSpec[] };
    this.maps = info.maps;
    this.programs = info.programs;
    this.btf = new Btf(wrap('BPF_OPEN', `BTF of ${name}`, () => native.objectBtf(this.#handle)));
  }

  #named<T extends { name: string }>(kind: string, list: readonly T[], name: string): T {
    const found = list.find((x) => x.name === name);
    if (!found)
      throw new BpfError('BPF_ARGUMENT', `the object has no ${kind} ${name}; it has ${list.map((x) => x.name).join(', ')}`);
    return found;
  }

  /** Makes the maps and loads the programs. */
  load(options: LoadOptions = {}): this {
    if (this.#state !== 'opened') throw new BpfError('BPF_CLOSED', `the object is ${this.#state}: it can be loaded once`);
    for (const [name, n] of Object.entries(options.maxEntries ?? {})) {
      this.#named('map', this.maps, name);
      wrap('BPF_MAP', `size of map ${name}`, () => native.objectMapMaxEntries(this.#handle, name, n));
    }
    for (const [name, map] of Object.entries(options.reuse ?? {})) {
      this.#named('map', this.maps, name);
      wrap('BPF_MAP', `reuse of map ${name}`, () => native.objectMapReuse(this.#handle, name, map.fd));
    }
    this.#setConstants(options.constants ?? {});
    for (const p of this.programs) {
      const attach = options.attachTypes?.[p.name] ?? -1;
      const wanted = !(options.skip ?? []).includes(p.name);
      wrap('BPF_LOAD', `program ${p.name}`, () => native.objectProgram(this.#handle, p.name, wanted, attach));
    }
    wrap('BPF_LOAD', 'load', () => native.objectLoad(this.#handle));
    this.#state = 'loaded';
    return this;
  }

  #setConstants(constants: Record<string, number>): void {
    const entries = Object.entries(constants);
    if (entries.length === 0) return;
    const map = this.maps.find((m) => m.internal && m.name.endsWith('.rodata'));
    if (!map) throw new BpfError('BPF_ARGUMENT', `the object has no constants: ${entries[0]![0]} cannot be set`);
    const bytes = native.objectInitialValue(this.#handle, map.name) as ArrayBuffer;
    const view = new DataView(bytes);
    const vars = this.btf.section('.rodata');
    for (const [name, value] of entries) {
      const v = vars.find((x) => x.name === name);
      if (!v) throw new BpfError('BPF_ARGUMENT', `the object has no constant ${name}; it has ${vars.map((x) => x.name).join(', ')}`);
      if (v.size === 1) view.setUint8(v.offset, value);
      else if (v.size === 2) view.setUint16(v.offset, value, true);
      else if (v.size === 4) view.setUint32(v.offset, value >>> 0, true);
      else if (v.size === 8) view.setBigUint64(v.offset, BigInt(value), true);
      else throw new BpfError('BPF_ARGUMENT', `constant ${name} is ${v.size} bytes long: only integers can be set`);
    }
    wrap('BPF_MAP', 'constants', () => native.objectSetInitialValue(this.#handle, map.name, bytes));
  }

  #loaded(): void {
    if (this.#state !== 'loaded') throw new BpfError('BPF_CLOSED', `the object is ${this.#state}, not loaded`);
  }

  /** A map of the loaded object. It is the caller's, also after the object is closed. */
  map(name: string): BpfMap {
    this.#loaded();
    const spec = this.maps.find((m) => m.name === name) ?? this.maps.find((m) => m.internal && m.name.endsWith(name));
    this.#named('map', this.maps, spec?.name ?? name);
    const map = BpfMap.fromFd(native.fdDup(native.objectMapFd(this.#handle, spec?.name ?? name)));
    this.#open.push(map);
    return map;
  }

  /** A program of the loaded object. It is closed with the object; links and pins keep it in the kernel. */
  program(name: string): Program {
    this.#loaded();
    this.#named('program', this.programs, name);
    const program = Program.fromFd(native.fdDup(native.objectProgFd(this.#handle, name)));
    this.#open.push(program);
    return program;
  }

  /** Closes the object with every map and program taken from it. */
  close(): void {
    if (this.#state === 'closed') return;
    for (const h of this.#open) h.close();
    native.objectClose(this.#handle);
    this.#state = 'closed';
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
