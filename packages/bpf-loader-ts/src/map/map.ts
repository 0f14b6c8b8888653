import { native } from '../binding.js';
import { BPF_F_MMAPABLE, MapType } from '../constants.js';
import { BpfError } from '../errors.js';
import { adopt, Handle } from '../handle.js';
import { openPin, pinFd } from '../kernel/pin.js';
import { wrap } from '../wrap.js';
import { deleteBatch, MapBatch, updateBatch } from './batch.js';
import { createMap, type MapOptions } from './create.js';
import { attempt, fdInfo, mapFailed } from './failed.js';
import { type MapInfo, mapInfo } from './info.js';
import { kindOf } from './kinds.js';
import { Mapping, mapShared, PAGE_SIZE } from './mmap.js';
import { fillPerCpu, perCpu, round8, valueBytes } from './per-cpu.js';

export { PAGE_SIZE } from './mmap.js';

const ENOENT = -2;

/**
 * A BPF map by its file descriptor. Keys and values are bytes; sizes are checked. Types without keys, and those whose values stand for
 * something else, have views of their own: `Queue`, `BloomFilter`, `MapOfMaps`, `ProgramArray`, `DevMap`, `CpuMap`, `XskMap`, `RingBuffer`.
 * Other types (sockets, storage, cgroups) can be made and inspected; what the kernel lets user space do with their elements, lookup() and
 * the like do.
 */
export class BpfMap extends Handle {
  readonly info: Readonly<MapInfo>;
  /** Bytes that a lookup returns: per-CPU maps give one value, rounded up to 8 bytes, for every possible CPU. */
  readonly valueBytes: number;

  private constructor(fd: number) {
    const info = mapInfo(fd);
    super(fd, `map ${info.name || info.id}`);
    this.info = info;
    this.valueBytes = valueBytes(info);
  }

  /** Takes over an open descriptor of a map; when it is none it throws and the descriptor stays the caller's. */
  static fromFd(fd: number): BpfMap {
    return new BpfMap(fd);
  }

  /** Opens a pinned map; read-only, every store through it is BPF_READONLY. */
  static fromPin(path: string, options: { readOnly?: boolean } = {}): BpfMap {
    return adopt(openPin('map', path, options.readOnly), (fd) => new BpfMap(fd));
  }

  /** Opens a map by the kernel's number of it: BPF_MAP with ENOENT if there is none. It needs CAP_SYS_ADMIN. */
  static fromId(id: number): BpfMap {
    return adopt(
      wrap('BPF_MAP', `open map ${id}`, () => native.mapFdById(id) as number),
      (fd) => new BpfMap(fd),
    );
  }

  /** The numbers of all maps of the kernel, ascending. One may be gone by the time it is opened. It needs CAP_SYS_ADMIN. */
  static *ids(): Generator<number> {
    for (let id = 0; ; ) {
      id = wrap('BPF_MAP', 'list of maps', () => native.mapNextId(id) as number);
      if (id === 0) return;
      yield id;
    }
  }

  /** Makes a map. Throws BPF_ARGUMENT, BPF_PERMISSION, and BPF_MAP with EINVAL for what the kernel refuses. */
  static create(options: MapOptions): BpfMap {
    return adopt(createMap(options), (fd) => new BpfMap(fd));
  }

  /** True once user space can no longer store to the map, see freeze(). Linux 5.2; false before, and without /proc. */
  get frozen(): boolean {
    return Number(fdInfo(this.fd).get('frozen')) === 1;
  }

  /** Bytes of kernel memory that the map takes, as the kernel counts them; undefined without /proc. */
  get memlock(): number | undefined {
    const bytes = fdInfo(this.fd).get('memlock');
    return bytes === undefined ? undefined : Number(bytes);
  }

  /** Types without keys have no elements that lookup() and its like could name. */
  #keySize(doing: string): number {
    const { keySize, type, typeName } = this.info;
    if (keySize === 0)
      throw new BpfError(
        'BPF_ARGUMENT',
        `${doing} ${this.what}: a map of type ${typeName} has no keys; use ${kindOf(type).use ?? 'a program'}`,
      );
    return keySize;
  }

  #check(what: 'key' | 'value', bytes: Uint8Array, want: number): void {
    if (bytes?.byteLength !== want)
      throw new BpfError(
        'BPF_ARGUMENT',
        `${what} of ${this.what} is ${want} bytes, got ${bytes?.byteLength ?? typeof bytes}`,
      );
  }

  /** One element by a system call that takes a key and a value. False if there is none. */
  #element(
    call: (
      fd: number,
      keySize: number,
      valueBytes: number,
      k: Uint8Array,
      v: Uint8Array,
      f: number,
    ) => number,
    doing: string,
    key: Uint8Array,
    value: Uint8Array,
    flags: number,
  ): number {
    const keySize = this.#keySize(doing);
    this.#check('key', key, keySize);
    this.#check('value', value, this.valueBytes);
    return attempt(this, doing, () => call(this.fd, keySize, this.valueBytes, key, value, flags));
  }

  #found(rc: number, doing: string): boolean {
    return rc === 0 || (rc === ENOENT ? false : mapFailed(this, rc, doing));
  }

  /**
   * The value, or undefined when there is no such key. About 0.8 µs: a system call. Flags: BPF_F_LOCK takes the value's bpf_spin_lock, so
   * that none is torn (Linux 5.1).
   */
  lookup(
    key: Uint8Array,
    into: Uint8Array = new Uint8Array(this.valueBytes),
    flags = 0,
  ): Uint8Array | undefined {
    const rc = this.#element(native.mapLookup, 'lookup in', key, into, flags);
    return this.#found(rc, 'lookup in') ? into : undefined;
  }

  /** Flags: BPF_ANY (0), BPF_NOEXIST (the key must be new) or BPF_EXIST (it must be there); BPF_F_LOCK with it. */
  update(key: Uint8Array, value: Uint8Array, flags = 0): void {
    const rc = this.#element(native.mapUpdate, 'update of', key, value, flags);
    if (rc !== 0) mapFailed(this, rc, 'update of');
  }

  /** True if the key was there. */
  delete(key: Uint8Array): boolean {
    const keySize = this.#keySize('delete from');
    this.#check('key', key, keySize);
    const rc = attempt(this, 'delete from', () => native.mapDelete(this.fd, keySize, key) as number);
    return this.#found(rc, 'delete from');
  }

  /** The value, which is deleted at once; undefined when there is no such key. Hashes of all kinds, from Linux 5.14 on. */
  lookupAndDelete(
    key: Uint8Array,
    into: Uint8Array = new Uint8Array(this.valueBytes),
    flags = 0,
  ): Uint8Array | undefined {
    const rc = this.#element(native.mapLookupAndDelete, 'lookup and delete of', key, into, flags);
    return this.#found(rc, 'lookup and delete of') ? into : undefined;
  }

  /**
   * Every key, once. The key just given may be deleted; when another one that the iteration stands on is, a hash starts from its
   * beginning, so it ends with BPF_MAP after as many keys as the map can hold.
   */
  *keys(): Generator<Uint8Array> {
    const keySize = this.#keySize('iteration of');
    const after = (key: Uint8Array | null): Uint8Array | null => {
      const next = new Uint8Array(keySize);
      return this.#found(native.mapNextKey(this.fd, keySize, key, next), 'iteration of') ? next : null;
    };
    let given = 0;
    for (let key = after(null); key !== null; ) {
      if (given++ === this.info.maxEntries)
        throw new BpfError('BPF_MAP', `iteration of ${this.what}: it changed too often to see every key`);
      const next = after(key);
      yield key;
      key = next;
    }
  }

  /** Every key with its value, as keys(), each by two system calls: readAll() is much faster. Keys deleted meanwhile are left out. */
  *entries(): Generator<[key: Uint8Array, value: Uint8Array]> {
    for (const key of this.keys()) {
      const value = this.lookup(key);
      if (value) yield [key, value];
    }
  }

  /**
   * Every entry in as few system calls as possible (Linux 5.6; lpm_trie and percpu_array 5.13, maps of maps 5.19), one by one inside the
   * addon for types and kernels without batches. Give it what it returned and it allocates nothing, as long as there is room. While others
   * change the map it sees every key that is there all the time, but others perhaps twice or not at all.
   */
  readAll(into = this.#batch(), flags = 0): MapBatch {
    return into.fill(this, false, flags);
  }

  /**
   * As readAll(), and deletes what it returns: for hashes of all kinds a whole bucket at once, so that no update is lost. For types and
   * kernels without that, an update between reading and deleting is. On an error `count` entries are deleted, and are in `into`.
   */
  lookupAndDeleteAll(into = this.#batch(), flags = 0): MapBatch {
    return into.fill(this, true, flags);
  }

  #batch(): MapBatch {
    this.#keySize('read of');
    return new MapBatch(this);
  }

  /**
   * Stores many values: packed keys and as many packed values. Not at once: others may see some. On an error `count` tells how many were
   * stored, the first ones.
   */
  updateBatch(keys: Uint8Array, values: Uint8Array, flags = 0): void {
    this.#keySize('update of');
    updateBatch(this, keys, values, flags);
  }

  /** Deletes many packed keys; those that are not there are passed over. Returns how many were, as does `count` of an error. */
  deleteBatch(keys: Uint8Array): number {
    this.#keySize('delete from');
    return deleteBatch(this, keys);
  }

  /** The value of each possible CPU in a value of a per-CPU map, in the order of POSSIBLE_CPUS. Views, no copies. */
  perCpu(value: Uint8Array): Uint8Array[] {
    this.#check('value', value, this.valueBytes);
    return perCpu(this, value);
  }

  /** A value for update() of a per-CPU map from those of each possible CPU: perCpu() the other way round. */
  fromPerCpu(values: readonly Uint8Array[], into: Uint8Array = new Uint8Array(this.valueBytes)): Uint8Array {
    const places = this.perCpu(into);
    fillPerCpu(this, values, places);
    return into;
  }

  /**
   * No more stores from user space, for good; programs still may (Linux 5.2). A store is BPF_READONLY then. EBUSY while the map is mapped
   * writable; not for maps with a bpf_spin_lock or a timer in their values.
   */
  freeze(): void {
    const rc = native.mapFreeze(this.fd) as number;
    // Of a map that is frozen already some kernels say EBUSY, others EPERM (-1), as of every other change.
    if (rc !== 0) mapFailed(this, this.frozen ? -1 : rc, 'freeze of');
  }

  /** Bytes from one element to the next in the map's memory, and from one CPU's value to the next. */
  get stride(): number {
    return round8(this.info.valueSize);
  }

  /** Bytes of memory that a mapping of the whole array has. */
  #mappedBytes(): number {
    const { type, flags, maxEntries } = this.info;
    if (type !== MapType.array || !(flags & BPF_F_MMAPABLE))
      throw new BpfError('BPF_ARGUMENT', `${this.what} is no array with BPF_F_MMAPABLE: it cannot be mapped`);
    return Math.ceil((this.stride * maxEntries) / PAGE_SIZE) * PAGE_SIZE;
  }

  /** Maps the whole array, which must have BPF_F_MMAPABLE; .bss and .data have. A frozen one, such as .rodata, only read-only. */
  mmap(options: { writable?: boolean } = {}): Mapping {
    return new Mapping(this.fd, this.#mappedBytes(), 0, options.writable ?? true);
  }

  /**
   * The whole array as a SharedArrayBuffer: it can be posted to other threads, and Atomics.wait and notify work on it. It cannot be
   * unmapped early: the memory goes when the last thread's last reference is collected, so close() of the map does not end it. Node 22.23,
   * 24.21, 26.10 or later in each of these lines; BPF_UNSUPPORTED on others. BPF_READONLY for a frozen map: it can be stored to.
   */
  mmapShared(): SharedArrayBuffer {
    return mapShared(this.fd, this.#mappedBytes());
  }

  /** Pins the map: it lives until the pin and every descriptor are gone (Linux 4.4). Throws BPF_PIN (EEXIST). */
  pin(path: string): void {
    pinFd(this.fd, this.what, path);
  }
}
