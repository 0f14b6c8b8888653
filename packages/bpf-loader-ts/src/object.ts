import './sys/dispose.js';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { native } from './binding.js';
import { Btf } from './btf.js';
import { checkElf } from './elf.js';
import { BpfError, wrap } from './errors.js';
import { adopt } from './handle.js';
import { track } from './leaks.js';
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
  /** Integer constants of .rodata, by name. A value must fit, signed or unsigned. */
  constants?: Record<string, number | bigint>;
  /** Programs not to load. */
  skip?: string[];
  /** expected_attach_type of programs, by name (AttachType). */
  attachTypes?: Record<string, number>;
  /**
   * What fentry, fexit, fmod_ret and freplace programs attach to, by name: a function of a loaded program, or of the kernel. Instead of
   * what their sections name.
   */
  attachTargets?: Record<string, { function: string; program?: Program }>;
}

function readObject(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (e) {
    throw new BpfError('BPF_OPEN', `open ${path}: ${(e as Error).message}`, { cause: e });
  }
}

/** The value as it stands in `size` bytes. */
function toInteger(name: string, value: number | bigint, size: number): bigint {
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
  const bits = BigInt(8 * size);
  const n = whole ? BigInt(value) : 0n;
  if (!whole || n < -(1n << (bits - 1n)) || n >= 1n << bits)
    throw new BpfError('BPF_ARGUMENT', `constant ${name} is ${value}, not a whole number of ${size} bytes`);
  return BigInt.asUintN(8 * size, n);
}

/** A BPF object file. Opening is free of the kernel; `load()` makes maps and programs. Linux 5.8 for ring buffers, BTF for CO-RE. */
export class BpfObject implements Disposable {
  readonly maps: readonly MapSpec[];
  readonly programs: readonly ProgramSpec[];
  readonly btf: Btf;
  readonly #handle: unknown;
  readonly #untrack: () => void;
  #attachTypes: Record<string, number> = {};
  #open: (BpfMap | Program)[] = [];
  #state: 'opened' | 'loaded' | 'failed' | 'closed' = 'opened';

  /** `source`: a file's path or its bytes. Throws BPF_OPEN for what is no BPF object, or a damaged one. */
  constructor(source: string | Uint8Array, options: OpenOptions = {}) {
    // A copy: what is checked here is what libbpf reads, whoever else may write to the memory.
    const bytes = typeof source === 'string' ? readObject(source) : Uint8Array.from(source);
    const name = options.name ?? (typeof source === 'string' ? basename(source).split('.')[0]! : 'object');
    this.btf = checkElf(bytes);
    this.#handle = wrap('BPF_OPEN', `open ${name}`, () =>
      native.objectOpen(bytes, name.slice(0, 15), options.logLevel ?? 0),
    );
    const info = native.objectInfo(this.#handle) as { maps: MapSpec[]; programs: ProgramSpec[] };
    this.maps = info.maps;
    this.programs = info.programs;
    this.#untrack = track(`object ${name}`);
  }

  #named<T extends { name: string }>(kind: string, list: readonly T[], name: string): T {
    const found = list.find((x) => x.name === name);
    if (!found)
      throw new BpfError(
        'BPF_ARGUMENT',
        `the object has no ${kind} ${name}; it has ${list.map((x) => x.name).join(', ')}`,
      );
    return found;
  }

  /** Makes the maps and loads the programs. An object that the kernel refused cannot be loaded again: open it anew. */
  load(options: LoadOptions = {}): this {
    if (this.#state !== 'opened')
      throw new BpfError('BPF_CLOSED', `the object is ${this.#state}: it can be loaded once`);
    const {
      maxEntries = {},
      reuse = {},
      constants = {},
      skip = [],
      attachTypes = {},
      attachTargets = {},
    } = options;
    for (const name of [...Object.keys(maxEntries), ...Object.keys(reuse)])
      this.#named('map', this.maps, name);
    for (const name of [...skip, ...Object.keys(attachTypes), ...Object.keys(attachTargets)])
      this.#named('program', this.programs, name);
    for (const [name, n] of Object.entries(maxEntries))
      wrap('BPF_MAP', `size of map ${name}`, () => native.objectMapMaxEntries(this.#handle, name, n));
    for (const [name, map] of Object.entries(reuse)) this.#reuse(name, map);
    this.#setConstants(constants);
    for (const p of this.programs)
      wrap('BPF_LOAD', `program ${p.name}`, () =>
        native.objectProgram(this.#handle, p.name, !skip.includes(p.name), attachTypes[p.name] ?? -1),
      );
    for (const [name, target] of Object.entries(attachTargets))
      wrap('BPF_LOAD', `target ${target.function} of program ${name}`, () =>
        native.objectAttachTarget(this.#handle, name, target.program?.fd ?? 0, target.function),
      );
    this.#state = 'failed';
    wrap('BPF_LOAD', 'load', () => native.objectLoad(this.#handle));
    this.#state = 'loaded';
    this.#attachTypes = { ...attachTypes };
    return this;
  }

  /** libbpf would take a map of any shape, and the programs would be refused for reasons that say nothing of it. */
  #reuse(name: string, map: BpfMap): void {
    const want = this.#named('map', this.maps, name);
    for (const what of ['type', 'keySize', 'valueSize'] as const)
      if (map.info[what] !== want[what])
        throw new BpfError(
          'BPF_ARGUMENT',
          `map ${map.info.name} cannot stand for ${name}: its ${what} is ${map.info[what]}, not ${want[what]}`,
        );
    wrap('BPF_MAP', `reuse of map ${name}`, () => native.objectMapReuse(this.#handle, name, map.fd));
  }

  #setConstants(constants: Record<string, number | bigint>): void {
    const entries = Object.entries(constants);
    if (entries.length === 0) return;
    const map = this.maps.find((m) => m.internal && m.name.endsWith('.rodata'));
    if (!map)
      throw new BpfError('BPF_ARGUMENT', `the object has no constants: ${entries[0]![0]} cannot be set`);
    const bytes = native.objectInitialValue(this.#handle, map.name) as ArrayBuffer;
    const view = new DataView(bytes);
    // libbpf fills in where variables lie when it opens the object; in the file clang leaves their offsets 0.
    const vars = new Btf(native.objectBtf(this.#handle)).section('.rodata');
    for (const [name, value] of entries) {
      const v = vars.find((x) => x.name === name);
      if (!v)
        throw new BpfError(
          'BPF_ARGUMENT',
          `the object has no constant ${name}; it has ${vars.map((x) => x.name).join(', ')}`,
        );
      if (!v.integer || ![1, 2, 4, 8].includes(v.size) || v.offset + v.size > bytes.byteLength)
        throw new BpfError('BPF_ARGUMENT', `constant ${name} is no integer: only integers can be set`);
      const n = toInteger(name, value, v.size);
      if (v.size === 8) view.setBigUint64(v.offset, n, true);
      else if (v.size === 4) view.setUint32(v.offset, Number(n), true);
      else if (v.size === 2) view.setUint16(v.offset, Number(n), true);
      else view.setUint8(v.offset, Number(n));
    }
    wrap('BPF_MAP', 'constants', () => native.objectSetInitialValue(this.#handle, map.name, bytes));
  }

  #loaded(): void {
    if (this.#state !== 'loaded')
      throw new BpfError('BPF_CLOSED', `the object is ${this.#state}, not loaded`);
  }

  #take<T extends BpfMap | Program>(fd: number, make: (fd: number) => T): T {
    const taken = adopt(native.fdDup(fd), make);
    this.#open = [...this.#open.filter((h) => !h.closed), taken];
    return taken;
  }

  /** A map of the loaded object, by its name or, for `.rodata`, `.data` and `.bss`, that of its section. Closed with the object. */
  map(name: string): BpfMap {
    this.#loaded();
    const spec =
      this.maps.find((m) => m.name === name) ??
      (name.startsWith('.') ? this.maps.find((m) => m.internal && m.name.endsWith(name)) : undefined) ??
      this.#named('map', this.maps, name);
    return this.#take(
      wrap('BPF_MAP', `map ${name}`, () => native.objectMapFd(this.#handle, spec.name)),
      BpfMap.fromFd,
    );
  }

  /** A program of the loaded object. It is closed with the object; links and pins keep it in the kernel. */
  program(name: string): Program {
    this.#loaded();
    const spec = this.#named('program', this.programs, name);
    let fd: number;
    try {
      fd = native.objectProgFd(this.#handle, name);
    } catch (e) {
      throw new BpfError('BPF_ARGUMENT', `program ${name} was not loaded: it was skipped`, { cause: e });
    }
    return this.#take(fd, (own) => Program.fromFd(own, this.#attachTypes[name] ?? spec.expectedAttachType));
  }

  /** Closes the object with every map and program taken from it. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#untrack();
    native.objectClose(this.#handle);
    for (const h of this.#open) h.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
