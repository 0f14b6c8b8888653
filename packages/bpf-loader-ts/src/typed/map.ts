import '../sys/dispose.js';
import { type Codec, decode, encode } from '../codec/codec.js';
import { BpfError } from '../errors.js';
import { BloomFilter } from '../map/bloom.js';
import type { BpfMap } from '../map/map.js';
import type { Mapping } from '../map/mmap.js';
import { Queue } from '../map/queue.js';
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

  /** Every key, once (see `BpfMap.keys`). */
  *keys(): Generator<K> {
    for (const key of this.bytes.keys()) yield decode(this.key, key, 'the key');
  }

  /** Keys with their values, read in as few system calls as the kernel allows (see `BpfMap.readAll`). */
  *entries(): Generator<[K, V]> {
    for (const [key, value] of this.bytes.readAll())
      yield [decode(this.key, key, 'the key'), decode(this.value, value)];
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

  /** Unmaps: views of it throw TypeError from then on. */
  close(): void {
    this.mapping.close();
  }

  /** The same as close(). */
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

  /** One value for each possible CPU, or undefined when there is no such key. */
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

  /** True if the key was there. */
  delete(key: KI): boolean {
    return this.bytes.delete(encode(this.key, key, 'key'));
  }

  /** As of TypedMap. */
  *entries(): Generator<[K, V[]]> {
    for (const [key, value] of this.bytes.readAll())
      yield [decode(this.key, key, 'the key'), this.#split(value)];
  }
}

/** A queue or stack whose values have a type. */
export class TypedQueue<V, VI> extends Typed {
  readonly value: Codec<V, VI>;
  readonly #queue: Queue;

  constructor(map: BpfMap, value: Codec<V, VI>) {
    super(map, 0, value.size);
    this.value = value;
    this.#queue = new Queue(map);
  }

  /** Adds a value. When it is full: BPF_MAP with E2BIG, or with `evict` the oldest value makes room. */
  push(value: VI, options: { evict?: boolean } = {}): void {
    this.#queue.push(encode(this.value, value), options);
  }

  /** Takes the next value; undefined when there is none. */
  pop(): V | undefined {
    const found = this.#queue.pop();
    return found && decode(this.value, found);
  }

  /** The next value, which stays; undefined when there is none. */
  peek(): V | undefined {
    const found = this.#queue.peek();
    return found && decode(this.value, found);
  }
}

/** A bloom filter whose values have a type. */
export class TypedBloomFilter<V, VI> extends Typed {
  readonly value: Codec<V, VI>;
  readonly #filter: BloomFilter;

  constructor(map: BpfMap, value: Codec<V, VI>) {
    super(map, 0, value.size);
    this.value = value;
    this.#filter = new BloomFilter(map);
  }

  /** Adds a value, for good. */
  add(value: VI): void {
    this.#filter.add(encode(this.value, value));
  }

  /** False: was never added. True: was added, or (rarely, the more often the fuller) looks like it. */
  has(value: VI): boolean {
    return this.#filter.has(encode(this.value, value));
  }
}
