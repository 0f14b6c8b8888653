import { readFileSync } from 'node:fs';
import { native } from './binding.js';
import { BPF_F_MMAPABLE, MapType } from './constants.js';
import { BpfError, wrap } from './errors.js';
import { Handle } from './handle.js';
import { Mapping } from './mmap.js';

export interface MapInfo {
  id: number;
  type: number;
  name: string;
  /** Bytes. */
  keySize: number;
  /** Bytes; of one CPU's value for per-CPU maps. */
  valueSize: number;
  maxEntries: number;
  flags: number;
}

export const PAGE_SIZE = 4096;

/** Possible CPUs: how many values an element of a per-CPU map has. */
export function possibleCpus(): number {
  const list = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
  return Number(list.split(/[,-]/).at(-1)) + 1;
}

const round8 = (n: number): number => (n + 7) & ~7;

/** A BPF map by its file descriptor. Keys and values are bytes; sizes are checked. */
export class BpfMap extends Handle {
  readonly info: MapInfo;

  private constructor(fd: number) {
    const info = wrap('BPF_MAP', 'map info', () => native.mapInfo(fd) as MapInfo);
    super(fd, `map ${info.name}`);
    this.info = info;
  }

  /** Takes over an open descriptor of a map. */
  static fromFd(fd: number): BpfMap {
    return new BpfMap(fd);
  }

  /** Opens a pinned map. */
  static fromPin(path: string): BpfMap {
    return new BpfMap(wrap('BPF_PIN', `open map ${path}`, () => native.objGet(path)));
  }

  /** A new map; name up to 15 characters. */
  static create(spec: Omit<MapInfo, 'id'>): BpfMap {
    const { type, name, keySize, valueSize, maxEntries, flags } = spec;
    return new BpfMap(
      wrap('BPF_MAP', `create map ${name}`, () => native.mapCreate(type, name, keySize, valueSize, maxEntries, flags)),
    );
  }

  /** Bytes that a lookup returns: per-CPU maps give one rounded value for every possible CPU. */
  get valueBytes(): number {
    const perCpu = this.info.type === MapType.perCpuArray || this.info.type === MapType.perCpuHash;
    return perCpu ? round8(this.info.valueSize) * possibleCpus() : this.info.valueSize;
  }

  #check(what: 'key' | 'value', bytes: Uint8Array, want: number): void {
    if (bytes.byteLength !== want)
      throw new BpfError('BPF_ARGUMENT', `${what} of map ${this.info.name} is ${want} bytes, got ${bytes.byteLength}`);
  }

  #result(rc: number, doing: string): boolean {
    if (rc === 0) return true;
    if (rc === -2) return false;
    throw new BpfError('BPF_MAP', `${doing} map ${this.info.name}: errno ${-rc}`);
  }

  /** The value, or undefined when there is no such key. About 0.8 µs: a system call. */
  lookup(key: Uint8Array, into = new Uint8Array(this.valueBytes)): Uint8Array | undefined {
    this.#check('key', key, this.info.keySize);
    this.#check('value', into, this.valueBytes);
    return this.#result(native.mapLookup(this.fd, key, into), 'lookup in') ? into : undefined;
  }

  /** flags: 0 any, 1 must be new (BPF_NOEXIST), 2 must exist (BPF_EXIST). */
  update(key: Uint8Array, value: Uint8Array, flags = 0): void {
    this.#check('key', key, this.info.keySize);
    this.#check('value', value, this.valueBytes);
    if (!this.#result(native.mapUpdate(this.fd, key, value, flags), 'update of'))
      throw new BpfError('BPF_MAP', `update of map ${this.info.name}: no such key`);
  }

  /** True if the key was there. */
  delete(key: Uint8Array): boolean {
    this.#check('key', key, this.info.keySize);
    return this.#result(native.mapDelete(this.fd, key), 'delete from');
  }

  *keys(): Generator<Uint8Array> {
    let key: Uint8Array | null = null;
    for (;;) {
      const next: Uint8Array = new Uint8Array(this.info.keySize);
      if (!this.#result(native.mapNextKey(this.fd, key, next), 'iterate')) return;
      yield next;
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
      throw new BpfError('BPF_ARGUMENT', `map ${this.info.name} is no array with BPF_F_MMAPABLE: it cannot be mapped`);
    const bytes = this.stride * this.info.maxEntries;
    return new Mapping(this.fd, Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE, 0, options.writable ?? true);
  }

  pin(path: string): void {
    wrap('BPF_PIN', `pin map ${this.info.name} at ${path}`, () => native.objPin(this.fd, path));
  }
}
