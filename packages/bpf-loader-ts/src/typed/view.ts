import type { Codec, Input, Value } from '../codec/codec.js';
import { BpfError } from '../errors.js';

/**
 * A structure where it lies: every property of a generated subclass is a load or a store. `$at` may be moved, so that one view walks
 * over many elements without allocating. Over read-only memory the setters throw BPF_ARGUMENT; over closed memory, TypeError.
 */
export abstract class StructView {
  /** The memory: of a `Mapping`, a record, or bytes of one's own. */
  readonly $view: DataView;
  /** Bytes from the memory's start to the structure's. */
  $at: number;

  constructor(view: DataView, at = 0) {
    this.$view = view;
    this.$at = at;
  }
}

/** The class of a view. */
export type ViewOf<V extends StructView> = new (view: DataView, at?: number) => V;

function within(index: number, length: number): number {
  if (Number.isInteger(index) && index >= 0 && index < length) return index;
  throw new BpfError('BPF_ARGUMENT', `index is ${index}, not a whole number below ${length}`);
}

/** An array of structures where it lies. */
export class StructArrayView<V extends StructView> {
  readonly length: number;
  readonly #view: DataView;
  readonly #start: number;
  readonly #of: ViewOf<V>;
  readonly #size: number;

  constructor(of: ViewOf<V>, size: number, length: number, view: DataView, start: number) {
    this.#of = of;
    this.#size = size;
    this.length = length;
    this.#view = view;
    this.#start = start;
  }

  /** A view of element `index`. Throws BPF_ARGUMENT outside of the array. */
  at(index: number): V {
    return new this.#of(this.#view, this.#start + within(index, this.length) * this.#size);
  }

  /** All elements in order. */
  *[Symbol.iterator](): Generator<V> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}

/** An array of what a codec reads. */
export type ArrayViewOf<C> = ArrayView<Value<C>, Input<C>>;

/** An array of numbers where it lies. */
export class ArrayView<T, I> {
  readonly length: number;
  readonly #view: DataView;
  readonly #start: number;
  readonly #codec: Codec<T, I>;

  constructor(codec: Codec<T, I>, length: number, view: DataView, start: number) {
    this.#codec = codec;
    this.length = length;
    this.#view = view;
    this.#start = start;
  }

  /** Throws BPF_ARGUMENT outside of the array. */
  at(index: number): T {
    return this.#codec.read(this.#view, this.#start + within(index, this.length) * this.#codec.size);
  }

  /** Throws BPF_ARGUMENT outside of the array, or for a value that does not fit. */
  set(index: number, value: I): void {
    const at = this.#start + within(index, this.length) * this.#codec.size;
    this.#codec.write(this.#view, at, value, `[${index}]`);
  }

  /** All elements in order. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}
