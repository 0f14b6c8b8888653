import '../sys/dispose.js';
import { native } from '../binding.js';
import type { Btf } from '../btf/btf.js';
import { codecOf } from '../codec/from-btf.js';
import { BpfError } from '../errors.js';
import { adopt } from '../handle.js';
import { track } from '../leaks.js';
import { BpfMap } from '../map/map.js';
import type { Mapping } from '../map/mmap.js';
import { Program } from '../program/program.js';
import { wrap } from '../wrap.js';
import { type MapSpec, type ProgramSpec, sectionOf, type VariableSpec } from './spec.js';
import { Variable } from './variable.js';

/** What `load()` may be told. */
export interface LoadOptions {
  /** Maps to use instead of making new ones, by name. The object keeps its own duplicate of the descriptor. */
  reuse?: Record<string, BpfMap>;
  /** Sizes of maps, by name. */
  maxEntries?: Record<string, number>;
  /** Values of global variables, constants (.rodata) among them, by name: numbers, strings, arrays, objects as their types are. */
  variables?: Record<string, unknown>;
  /** Programs not to load. */
  skip?: readonly string[];
  /** expected_attach_type of programs, by name (AttachType). */
  attachTypes?: Record<string, number>;
  /**
   * What fentry, fexit, fmod_ret and freplace programs attach to, by name: a function of a loaded program, or of the kernel. Instead of
   * what their sections name.
   */
  attachTargets?: Record<string, { function: string; program?: Program }>;
  /** 0 none, 1 the verifier's account of a load, 2 with all state. libbpf asks for 1 by itself when a load fails. */
  logLevel?: 0 | 1 | 2;
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

/** The one of this name, or BPF_ARGUMENT naming those that there are. */
function named<T extends { name: string }>(kind: string, list: readonly T[], name: string): T {
  const found = list.find((x) => x.name === name);
  if (!found)
    throw new BpfError(
      'BPF_ARGUMENT',
      `the object has no ${kind} ${name}; it has ${list.map((x) => x.name).join(', ') || 'none'}`,
    );
  return found;
}

/** libbpf would take a map of any shape, and the programs would be refused for reasons that say nothing of it. */
function reuseMap(handle: unknown, spec: BpfSpec, name: string, map: BpfMap): void {
  const want = named('map', spec.maps, name);
  for (const what of ['type', 'keySize', 'valueSize'] as const)
    if (map.info[what] !== want[what])
      throw new BpfError(
        'BPF_ARGUMENT',
        `map ${map.info.name} cannot stand for ${name}: its ${what} is ${map.info[what]}, not ${want[what]}`,
      );
  wrap('BPF_MAP', `reuse of map ${name}`, () => native.objectMapReuse(handle, name, map.fd));
}

/** Writes values into the initial contents of their sections. */
function setVariables(handle: unknown, spec: BpfSpec, values: Record<string, unknown>): void {
  const sections = new Map<string, DataView<ArrayBuffer>>();
  for (const [name, value] of Object.entries(values)) {
    const v = named('variable', spec.variables, name);
    const map = spec.maps.find((m) => m.internal && sectionOf(m) === v.section)!;
    let memory = sections.get(map.name);
    if (!memory) {
      const initial = wrap('BPF_MAP', `contents of ${v.section}`, () =>
        native.objectInitialValue(handle, map.name),
      ) as ArrayBuffer;
      memory = new DataView(initial);
      sections.set(map.name, memory);
    }
    codecOf(spec.btf, v.type, name).write(memory, v.offset, value, name);
  }
  for (const [map, memory] of sections)
    wrap('BPF_MAP', `contents of ${map}`, () => native.objectSetInitialValue(handle, map, memory.buffer));
}

/** @internal See `BpfSpec.load`. */
export function loadObject(spec: BpfSpec, bytes: Uint8Array, options: LoadOptions): BpfObject {
  const { maxEntries = {}, reuse = {}, variables = {}, skip = [], logLevel = 0 } = options;
  const { attachTypes = {}, attachTargets = {} } = options;
  for (const name of Object.keys(maxEntries)) named('map', spec.maps, name);
  for (const name of [...skip, ...Object.keys(attachTypes), ...Object.keys(attachTargets)])
    named('program', spec.programs, name);
  const handle = wrap('BPF_OPEN', `open ${spec.name}`, () => native.objectOpen(bytes, spec.name, logLevel));
  try {
    for (const [name, n] of Object.entries(maxEntries))
      wrap('BPF_MAP', `size of map ${name}`, () => native.objectMapMaxEntries(handle, name, n));
    for (const [name, map] of Object.entries(reuse)) reuseMap(handle, spec, name, map);
    setVariables(handle, spec, variables);
    for (const p of spec.programs)
      wrap('BPF_LOAD', `program ${p.name}`, () =>
        native.objectProgram(handle, p.name, !skip.includes(p.name), attachTypes[p.name] ?? -1),
      );
    for (const [name, target] of Object.entries(attachTargets))
      wrap('BPF_LOAD', `target ${target.function} of program ${name}`, () =>
        native.objectAttachTarget(handle, name, target.program?.fd ?? 0, target.function),
      );
    wrap('BPF_LOAD', `load of ${spec.name}`, () => native.objectLoad(handle));
    return new BpfObject(spec, handle, attachTypes);
  } catch (e) {
    native.objectClose(handle);
    throw e;
  }
}

/** A loaded object: its maps, programs and variables. Closing it closes all that was taken from it. */
export class BpfObject implements Disposable {
  readonly spec: BpfSpec;
  readonly #handle: unknown;
  readonly #untrack: () => void;
  readonly #attachTypes: Readonly<Record<string, number>>;
  readonly #memory = new Map<string, { mapping: Mapping; view: DataView }>();
  #open: (BpfMap | Program)[] = [];
  #closed = false;

  /** @internal */
  constructor(spec: BpfSpec, handle: unknown, attachTypes: Readonly<Record<string, number>>) {
    this.spec = spec;
    this.#handle = handle;
    this.#attachTypes = { ...attachTypes };
    this.#untrack = track(`object ${spec.name}`);
  }

  #check(): void {
    if (this.#closed) throw new BpfError('BPF_CLOSED', `object ${this.spec.name} is closed`);
  }

  #take<T extends BpfMap | Program>(fd: number, make: (fd: number) => T): T {
    const taken = adopt(native.fdDup(fd), make);
    this.#open = [...this.#open.filter((h) => !h.closed), taken];
    return taken;
  }

  /** A map, by its name or, for `.rodata`, `.data` and `.bss`, that of its section. Closed with the object. */
  map(name: string): BpfMap {
    this.#check();
    const { maps } = this.spec;
    const internal = name.startsWith('.') ? maps.find((m) => m.internal && sectionOf(m) === name) : undefined;
    const found = internal ?? named('map', maps, name);
    return this.#take(
      wrap('BPF_MAP', `map ${name}`, () => native.objectMapFd(this.#handle, found.name)),
      BpfMap.fromFd,
    );
  }

  /** A program. It is closed with the object; links and pins keep it in the kernel. */
  program(name: string): Program {
    this.#check();
    const spec = named('program', this.spec.programs, name);
    let fd: number;
    try {
      fd = native.objectProgFd(this.#handle, name);
    } catch (e) {
      throw new BpfError('BPF_ARGUMENT', `program ${name} was not loaded: it was skipped`, { cause: e });
    }
    return this.#take(fd, (own) => Program.fromFd(own, this.#attachTypes[name] ?? spec.expectedAttachType));
  }

  /** A global variable, live (Linux 5.5). */
  variable(name: string): Variable {
    this.#check();
    const spec = named('variable', this.spec.variables, name);
    return new Variable(
      spec,
      () => codecOf(this.spec.btf, spec.type, name),
      () => this.#section(spec),
    );
  }

  /** The section's memory, mapped at the first use and kept until the object is closed. */
  #section({ section, constant }: VariableSpec): DataView {
    this.#check();
    const known = this.#memory.get(section);
    if (known) return known.view;
    const map = this.map(section);
    const mapping = map.mmap({ writable: !constant });
    map.close();
    const view = constant ? mapping.reader() : mapping.view();
    this.#memory.set(section, { mapping, view });
    return view;
  }

  /** True after close(). */
  get closed(): boolean {
    return this.#closed;
  }

  /** Closes the object with every map, program and mapping taken from it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#untrack();
    for (const { mapping } of this.#memory.values()) mapping.close();
    native.objectClose(this.#handle);
    for (const h of this.#open) h.close();
  }

  /** close() */
  [Symbol.dispose](): void {
    this.close();
  }
}
