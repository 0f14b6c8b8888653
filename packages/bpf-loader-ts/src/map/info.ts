import { native } from '../binding.js';
import { mapTypeName } from '../constants.js';
import { wrap } from '../wrap.js';

/** What the kernel tells of a map, and what does not change. */
export interface MapInfo {
  id: number;
  /** MapType. */
  type: number;
  /** The type as bpftool prints it: `percpu_hash`. */
  typeName: string;
  name: string;
  /** Bytes. */
  keySize: number;
  /** Bytes; of one CPU's value for per-CPU maps, see `valueBytes`. */
  valueSize: number;
  maxEntries: number;
  flags: number;
  /** Bloom filter: number of hash functions. Linux 5.16; 0 before. */
  mapExtra: number;
  /** Of the device that the map was offloaded to, else 0. */
  ifindex: number;
  /** The map's type information in the kernel: its id, and the types of key and value in it; 0 without. */
  btfId: number;
  btfKeyTypeId: number;
  btfValueTypeId: number;
}

/** An open map, as operations on its elements need it. Every `BpfMap` is one. */
export interface OpenMap {
  readonly fd: number;
  /** How messages name it. */
  readonly what: string;
  readonly info: Readonly<MapInfo>;
  /** Bytes that a lookup returns. */
  readonly valueBytes: number;
  /** Bytes from one value to the next in mapped memory, and from one CPU's to the next. */
  readonly stride: number;
}

/** Throws BPF_MAP for a descriptor that is no map's. */
export function mapInfo(fd: number): Readonly<MapInfo> {
  const info = wrap('BPF_MAP', 'map info', () => native.mapInfo(fd) as Omit<MapInfo, 'typeName'>);
  return Object.freeze({ ...info, typeName: mapTypeName(info.type) });
}
