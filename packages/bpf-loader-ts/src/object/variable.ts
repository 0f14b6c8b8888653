import type { AnyCodec } from '../codec/from-btf.js';
import { BpfError } from '../errors.js';
import type { ReadOnlyView } from '../map/readonly-view.js';

/** A global variable of a loaded object, in the memory that the programs use: reading and writing are loads and stores. */
// biome-ignore lint/suspicious/noExplicitAny: the type is known to generated modules, else only at run time
export class Variable<T = any, I = any> {
  readonly name: string;
  readonly section: string;
  /** Bytes from the start of `memory`. */
  readonly offset: number;
  readonly #codec: () => AnyCodec;
  readonly #memory: () => DataView | ReadOnlyView;
  readonly constant: boolean;

  /** @internal */
  constructor(
    spec: { name: string; section: string; offset: number; constant: boolean },
    codec: () => AnyCodec,
    memory: () => DataView | ReadOnlyView,
  ) {
    this.name = spec.name;
    this.section = spec.section;
    this.offset = spec.offset;
    this.constant = spec.constant;
    this.#codec = codec;
    this.#memory = memory;
  }

  /** The section's memory: writable for `.data` and `.bss`, read-only for constants. */
  get memory(): DataView | ReadOnlyView {
    return this.#memory();
  }

  /** The value now: loads from memory, no system call. A program may be half way through writing a structure. */
  get(): T {
    return this.#codec().read(this.#memory(), this.offset) as T;
  }

  /** Plain stores: a program may see a structure half written. Throws BPF_ARGUMENT for a constant or a value that does not fit. */
  set(value: I): void {
    if (this.constant)
      throw new BpfError('BPF_ARGUMENT', `${this.name} is a constant: set it with load({ variables })`);
    this.#codec().write(this.#memory() as DataView, this.offset, value, this.name);
  }
}
