import '../sys/dispose.js';
import { type Codec, decode, encode } from '../codec/codec.js';
import { BpfError } from '../errors.js';
import type { BpfMap } from '../map/map.js';
import type { Mapping } from '../map/mmap.js';
import type { StructView, ViewOf } from './view.js';

/** What the typed maps share: the map of bytes below, and its check against the codecs. */
abstract class Typed {
  /** The map of bytes: information, pins, batches, and whatever has no typed form. */
  readonly bytes: BpfMap;

  constructor(map: BpfMap, keySize: number, valueSize: number) {
    const { info } = map;
    if (info.keySize !== keySize || info.valueSize !== valueSize)
      throw new BpfError(
        'BPF_ARGUMENT',
        `map ${info.name} has keys of ${info.keySize} and values of ${info.valueSize} bytes, not ${keySize} and ${valueSize}`,
      );
    this.bytes = map;
  }
}

/** A map whose keys and values have types. Each call is one system call, as of `BpfMap`. */
export class TypedMap<K, KI, V, VI> extends Typed {
  readonly key: Codec<K, KI>;
  readonly value: Codec<V, VI>;

  constructor(map: BpfMap, key: Codec<K, KI>, value: Codec<V, VI>) {
    super(map, key.size, value.size);
    this.key = key;
    this.value = value;
  }

  #key(key: KI): Uint8Array {
    return encode(this.key, key, 'key');
  }

  /** The value, or undefined when there is no such key. */
  lookup(key: KI): V | undefined {
    const found = this.bytes.lookup(this.#key(key));
    return found && decode(this.value, found);
  }

  /** flags: BPF_ANY, BPF_NOEXIST (must be new), BPF_EXIST. */
  update(key: KI, value: VI, flags = 0): void {
    this.bytes.update(this.#key(key), encode(this.value, value), flags);
  }

  /** True if the key was there. */
  delete(key: KI): boolean {
    return this.bytes.delete(this.#key(key));
  }

  *keys(): Generator<K> {
    for (const key of this.bytes.keys()) yield decode(this.key, key, 'the key');
  }

  /** Keys with their values; what is deleted meanwhile is left out. */
  *entries(): Generator<[K, V]> {
    for (const key of this.bytes.keys()) {
      const found = this.bytes.lookup(key);
      if (found) yield [decode(this.key, key, 'the key'), decode(this.value, found)];
    }
  }
}

/** An array that can be mapped (BPF_F_MMAPABLE), with a view of its elements. */
export class TypedArrayMap<V, VI, W extends StructView> extends TypedMap<number, number, V, VI> {
  readonly #view: ViewOf<W>;

  constructor(map: BpfMap, key: Codec<number>, value: Codec<V, VI>, view: ViewOf<W>) {
    super(map, key, value);
    this.#view = view;
  }

  /** Maps the array (Linux 5.5): to be closed by the caller. */
  mmap(options: { writable?: boolean } = {}): MappedArray<W> {
    const mapping = this.bytes.mmap(options);
    const memory = mapping.writable ? mapping.view() : mapping.reader();
    return new MappedArray(mapping, memory, this.#view, this.bytes.stride, this.bytes.info.maxEntries);
  }
}

/** An array in mapped memory. */
export class MappedArray<W extends StructView> implements Disposable {
  readonly mapping: Mapping;
  readonly length: number;
  /** Bytes from one element to the next. */
  readonly stride: number;
  readonly #memory: DataView;
  readonly #view: ViewOf<W>;

  /** @internal */
  constructor(mapping: Mapping, memory: DataView, view: ViewOf<W>, stride: number, length: number) {
    this.mapping = mapping;
    this.#memory = memory;
    this.#view = view;
    this.stride = stride;
    this.length = length;
  }

  /** A view of element `index`. Throws BPF_ARGUMENT outside of the array. */
  at(index: number): W {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new BpfError('BPF_ARGUMENT', `index is ${index}, not a whole number below ${this.length}`);
    return new this.#view(this.#memory, index * this.stride);
  }

  close(): void {
    this.mapping.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A per-CPU map: a value for every possible CPU, in the order of their numbers. */
export class TypedPerCpuMap<K, KI, V, VI> extends Typed {
  readonly key: Codec<K, KI>;
  readonly value: Codec<V, VI>;
  readonly #stride: number;

  constructor(map: BpfMap, key: Codec<K, KI>, value: Codec<V, VI>) {
    super(map, key.size, value.size);
    this.key = key;
    this.value = value;
    this.#stride = map.stride;
  }

  #split(all: Uint8Array): V[] {
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    const values: V[] = [];
    for (let at = 0; at < all.byteLength; at += this.#stride) values.push(this.value.read(view, at));
    return values;
  }

  lookup(key: KI): V[] | undefined {
    const found = this.bytes.lookup(encode(this.key, key, 'key'));
    return found && this.#split(found);
  }

  /** One value for each possible CPU. */
  update(key: KI, values: readonly VI[], flags = 0): void {
    const all = new Uint8Array(this.bytes.valueBytes);
    const cpus = all.byteLength / this.#stride;
    if (!Array.isArray(values) || values.length !== cpus)
      throw new BpfError('BPF_ARGUMENT', `values must be an array of ${cpus}, one for each possible CPU`);
    const view = new DataView(all.buffer);
    values.forEach((v, cpu) => {
      this.value.write(view, cpu * this.#stride, v, `values[${cpu}]`);
    });
    this.bytes.update(encode(this.key, key, 'key'), all, flags);
  }

  delete(key: KI): boolean {
    return this.bytes.delete(encode(this.key, key, 'key'));
  }

  *entries(): Generator<[K, V[]]> {
    for (const key of this.bytes.keys()) {
      const found = this.bytes.lookup(key);
      if (found) yield [decode(this.key, key, 'the key'), this.#split(found)];
    }
  }
}
