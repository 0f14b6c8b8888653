import { native } from '../binding.js';
import { BpfError } from '../errors.js';
import { errnoName } from '../sys/fd.js';
import { attempt, mapFailed } from './failed.js';
import type { OpenMap } from './info.js';

/** Entries that a first read has room for: a few system calls later there is room for all. */
const FIRST_ROOM = 4096;

/** One more than there can be: the kernel only says that it is the end when there is room left. */
const firstRoom = (maxEntries: number): number => Math.min(maxEntries + 1, FIRST_ROOM);

/**
 * Entries of a map, packed one behind the other: key i at i * keySize of `keys`, value i at i * valueBytes of `values`, for i below `count`.
 * What lies behind them is of an earlier read. Give it to the next read and that allocates nothing.
 */
export class MapBatch implements Iterable<[key: Uint8Array, value: Uint8Array]> {
  #keys!: Uint8Array;
  #values!: Uint8Array;
  #count = 0;
  readonly keySize: number;
  readonly valueBytes: number;
  /** struct walk of native/map_batch.c, and two keys. */
  readonly #state: Uint32Array;

  constructor(map: OpenMap) {
    const { keySize, maxEntries } = map.info;
    this.keySize = keySize;
    this.valueBytes = map.valueBytes;
    this.#reserve(firstRoom(maxEntries));
    this.#state = new Uint32Array(4 + 2 * Math.ceil(Math.max(keySize, 4) / 4));
  }

  /** All keys; those from `count` on are of an earlier read. */
  get keys(): Uint8Array {
    return this.#keys;
  }
  /** All values; those from `count` on are of an earlier read. */
  get values(): Uint8Array {
    return this.#values;
  }
  /** Entries that the last read found. */
  get count(): number {
    return this.#count;
  }

  /** Key i, no copy. */
  key(i: number): Uint8Array {
    return this.#keys.subarray(i * this.keySize, (i + 1) * this.keySize);
  }

  /** Value i, no copy. */
  value(i: number): Uint8Array {
    return this.#values.subarray(i * this.valueBytes, (i + 1) * this.valueBytes);
  }

  /** Keys with their values, no copies. */
  *[Symbol.iterator](): Generator<[Uint8Array, Uint8Array]> {
    for (let i = 0; i < this.#count; i++) yield [this.key(i), this.value(i)];
  }

  /** Entries there is room for; none once somebody has transferred the memory to another thread. */
  get #room(): number {
    return Math.min(this.#keys.length / this.keySize, this.#values.length / this.valueBytes);
  }

  #reserve(room: number): void {
    this.#keys = new Uint8Array(room * this.keySize);
    this.#values = new Uint8Array(room * this.valueBytes);
  }

  #grow(maxEntries: number): void {
    const [keys, values, room] = [this.#keys, this.#values, this.#room];
    this.#reserve(Math.max(2 * room, Math.min(8 * room, maxEntries + 1)));
    this.#keys.set(keys);
    this.#values.set(values);
  }

  /** @internal Every entry of the map there is, which `remove` also deletes. */
  fill(map: OpenMap, remove: boolean, flags: number): this {
    const { keySize, maxEntries } = map.info;
    if (keySize !== this.keySize || map.valueBytes !== this.valueBytes)
      throw new BpfError(
        'BPF_ARGUMENT',
        `the batch is of keys of ${this.keySize} bytes and values of ${this.valueBytes}, ${map.what} has ${keySize} and ${map.valueBytes}`,
      );
    const doing = remove ? 'lookup and delete of' : 'read of';
    if (this.#room === 0) this.#reserve(firstRoom(maxEntries));
    this.#state.fill(0);
    for (;;) {
      const rc = attempt(map, doing, () =>
        native.mapRead(
          map.fd,
          keySize,
          this.valueBytes,
          this.#keys,
          this.#values,
          this.#state,
          remove,
          flags,
          maxEntries,
        ),
      );
      this.#count = this.#state[0]!;
      if (rc === 0) return this;
      if (errnoName(rc) !== 'ENOSPC') mapFailed(map, rc, doing, this.#count);
      this.#grow(maxEntries);
    }
  }
}

const checkPacked = (map: OpenMap, what: string, bytes: Uint8Array, size: number): number => {
  if (!ArrayBuffer.isView(bytes) || bytes.byteLength % size)
    throw new BpfError(
      'BPF_ARGUMENT',
      `${what} of ${map.what} must be a whole number of ${size} bytes each, got ${bytes?.byteLength} bytes`,
    );
  return bytes.byteLength / size;
};

const done = new Uint32Array(1);

/** @internal See BpfMap.updateBatch. */
export function updateBatch(map: OpenMap, keys: Uint8Array, values: Uint8Array, flags: number): void {
  const { valueBytes } = map;
  const { keySize } = map.info;
  const n = checkPacked(map, 'keys', keys, keySize);
  if (checkPacked(map, 'values', values, valueBytes) !== n)
    throw new BpfError(
      'BPF_ARGUMENT',
      `update of ${map.what}: ${n} keys, but ${values.byteLength / valueBytes} values`,
    );
  const doing = 'update of';
  const rc = attempt(map, doing, () =>
    native.mapUpdateBatch(map.fd, keySize, valueBytes, keys, values, flags, done),
  );
  if (rc !== 0) mapFailed(map, rc, doing, done[0]!);
}

/** @internal See BpfMap.deleteBatch. */
export function deleteBatch(map: OpenMap, keys: Uint8Array): number {
  const { keySize } = map.info;
  checkPacked(map, 'keys', keys, keySize);
  const doing = 'delete from';
  const rc = attempt(map, doing, () =>
    native.mapDeleteBatch(map.fd, keySize, map.valueBytes, keys, null, 0, done),
  );
  if (rc !== 0) mapFailed(map, rc, doing, done[0]!);
  return done[0]!;
}
