import { readFileSync } from 'node:fs';
import { native } from './binding.js';
import { BPF_F_MMAPABLE, MapType } from './constants.js';
import { BpfError, wrap } from './errors.js';
import { adopt, Handle } from './handle.js';
import { Mapping } from './mmap.js';
import { openPin, pinFd } from './pin.js';
import { errnoName } from './sys/fd.js';

const ENOENT = -2;

export interface MapInfo {
  id: number;
  type: number;
  name: string;
  /** Bytes. */
  keySize: number;
  /** Bytes; of one CPU's value for per-CPU maps, see `valueBytes`. */
  valueSize: number;
  maxEntries: number;
  flags: number;
}

/** Bytes of a page of memory: the unit of mappings. */
export const PAGE_SIZE: number = native.pageSize();

/** CPUs of a list such as `0-3,8`. */
function parseCpus(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

const possible = parseCpus(readFileSync('/sys/devices/system/cpu/possible', 'utf8'));

/** Highest possible CPU number + 1: what an array indexed by bpf_get_smp_processor_id() needs. Does not change while running. */
export const possibleCpus = (): number => possible.at(-1)! + 1;

/** Per-CPU types: an element holds a value for every possible CPU. PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE. */
const PER_CPU = new Set([5, 6, 10, 21]);

const round8 = (n: number): number => (n + 7) & ~7;

/** A BPF map by its file descriptor. Keys and values are bytes; sizes are checked. */
export class BpfMap extends Handle {
  readonly info: Readonly<MapInfo>;
  /** Bytes that a lookup returns: per-CPU maps give one value, rounded up to 8 bytes, for every possible CPU. */
  readonly valueBytes: number;

  private constructor(fd: number) {
    const info = wrap('BPF_MAP', 'map info', () => native.mapInfo(fd) as MapInfo);
    super(fd, `map ${info.name}`);
    this.info = Object.freeze(info);
    this.valueBytes = PER_CPU.has(info.type) ? round8(info.valueSize) * possible.length : info.valueSize;
  }

  /** Takes over an open descriptor of a map; when it is none it throws and the descriptor stays the caller's. */
  static fromFd(fd: number): BpfMap {
    return new BpfMap(fd);
  }

  /** Opens a pinned map. */
  static fromPin(path: string): BpfMap {
    return adopt(openPin('map', path), (fd) => new BpfMap(fd));
  }

  /** A new map; name up to 15 letters, digits, `_` and `.` */
  static create(spec: Omit<MapInfo, 'id'>): BpfMap {
    const { type, name, keySize, valueSize, maxEntries, flags } = spec;
    const fd = wrap('BPF_MAP', `create map ${name}`, () =>
      native.mapCreate(type, name, keySize, valueSize, maxEntries, flags),
    );
    return adopt(fd, (own) => new BpfMap(own));
  }

  #check(what: 'key' | 'value', bytes: Uint8Array, want: number): void {
    if (bytes.byteLength !== want)
      throw new BpfError(
        'BPF_ARGUMENT',
        `${what} of map ${this.info.name} is ${want} bytes, got ${bytes.byteLength}`,
      );
  }

  #failed(rc: number, doing: string): never {
    const errno = errnoName(rc);
    const code = errno === 'EPERM' || errno === 'EACCES' ? 'BPF_PERMISSION' : 'BPF_MAP';
    throw new BpfError(code, `${doing} map ${this.info.name}: ${errno}`, { errno });
  }

  #result(rc: number, doing: string): boolean {
    if (rc === 0) return true;
    return rc === ENOENT ? false : this.#failed(rc, doing);
  }

  /** The value, or undefined when there is no such key. About 0.8 µs: a system call. */
  lookup(key: Uint8Array, into = new Uint8Array(this.valueBytes)): Uint8Array | undefined {
    const { keySize } = this.info;
    this.#check('key', key, keySize);
    this.#check('value', into, this.valueBytes);
    return this.#result(native.mapLookup(this.fd, keySize, this.valueBytes, key, into), 'lookup in')
      ? into
      : undefined;
  }

  /** flags: 0 any, 1 must be new (BPF_NOEXIST), 2 must exist (BPF_EXIST). */
  update(key: Uint8Array, value: Uint8Array, flags = 0): void {
    const { keySize } = this.info;
    this.#check('key', key, keySize);
    this.#check('value', value, this.valueBytes);
    const rc: number = native.mapUpdate(this.fd, keySize, this.valueBytes, key, value, flags);
    if (rc !== 0) this.#failed(rc, 'update of');
  }

  /** True if the key was there. */
  delete(key: Uint8Array): boolean {
    this.#check('key', key, this.info.keySize);
    return this.#result(native.mapDelete(this.fd, this.info.keySize, key), 'delete from');
  }

  /**
   * Every key, once. The key just given may be deleted; when another one that the iteration stands on is, a hash starts from its
   * beginning, so it ends with BPF_MAP after as many keys as the map can hold.
   */
  *keys(): Generator<Uint8Array> {
    const { keySize, maxEntries } = this.info;
    const after = (key: Uint8Array | null): Uint8Array | null => {
      const next = new Uint8Array(keySize);
      return this.#result(native.mapNextKey(this.fd, keySize, key, next), 'iteration of') ? next : null;
    };
    let given = 0;
    for (let key = after(null); key !== null; ) {
      if (given++ === maxEntries)
        throw new BpfError(
          'BPF_MAP',
          `iteration of map ${this.info.name}: it changed too often to see every key`,
        );
      const next = after(key);
      yield key;
      key = next;
    }
  }

  /** Bytes from one element to the next in the map's memory. */
  get stride(): number {
    return round8(this.info.valueSize);
  }

  /** Maps the whole array. The map must have been made with BPF_F_MMAPABLE. */
  mmap(options: { writable?: boolean } = {}): Mapping {
    if (this.info.type !== MapType.array || !(this.info.flags & BPF_F_MMAPABLE))
      throw new BpfError(
        'BPF_ARGUMENT',
        `map ${this.info.name} is no array with BPF_F_MMAPABLE: it cannot be mapped`,
      );
    const bytes = this.stride * this.info.maxEntries;
    return new Mapping(this.fd, Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE, 0, options.writable ?? true);
  }

  pin(path: string): void {
    pinFd(this.fd, `map ${this.info.name}`, path);
  }
}
