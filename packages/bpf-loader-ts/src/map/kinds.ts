import { BPF_F_NO_PREALLOC, MapType, type MapTypeName, mapTypeName } from '../constants.js';
import { BpfError } from '../errors.js';
import { Handle } from '../handle.js';
import { possibleCpus } from './cpus.js';
import type { OpenMap } from './info.js';

/** What a map type fixes, or what is natural for it: sizes in bytes. */
interface Kind {
  keySize?: number;
  valueSize?: number;
  maxEntries?: number;
  flags?: number;
  /** How its elements are reached, where lookup(), update() and delete() are not the way. */
  use?: string;
}

const INDEX = { keySize: 4 };
const INDEX_TO_FD = { keySize: 4, valueSize: 4 };
const QUEUE = { keySize: 0, use: 'new Queue(map) with push(), pop() and peek()' };
const STORAGE = { keySize: 4, maxEntries: 0, flags: BPF_F_NO_PREALLOC };

const KINDS: { readonly [K in MapTypeName]?: Kind } = {
  array: INDEX,
  percpu_array: INDEX,
  prog_array: INDEX_TO_FD,
  perf_event_array: { ...INDEX_TO_FD, maxEntries: possibleCpus() },
  stack_trace: INDEX,
  cgroup_array: INDEX_TO_FD,
  lpm_trie: { flags: BPF_F_NO_PREALLOC },
  array_of_maps: INDEX_TO_FD,
  hash_of_maps: { valueSize: 4 },
  // The program in the value: Linux 5.8 (devmap) and 5.9 (cpumap); before, values have 4 bytes.
  devmap: { keySize: 4, valueSize: 8 },
  devmap_hash: { keySize: 4, valueSize: 8 },
  cpumap: { keySize: 4, valueSize: 8, maxEntries: possibleCpus() },
  xskmap: INDEX_TO_FD,
  sockmap: INDEX,
  reuseport_sockarray: INDEX,
  queue: QUEUE,
  stack: QUEUE,
  sk_storage: STORAGE,
  inode_storage: STORAGE,
  task_storage: STORAGE,
  cgrp_storage: STORAGE,
  ringbuf: { keySize: 0, valueSize: 0, use: 'new RingBuffer(map)' },
  user_ringbuf: { keySize: 0, valueSize: 0, use: 'a program: this package does not write to it' },
  bloom_filter: { keySize: 0, use: 'new BloomFilter(map) with add() and has()' },
  arena: { keySize: 0, valueSize: 0, use: 'a program: this package does not map it' },
};

export const kindOf = (type: number): Kind => KINDS[mapTypeName(type) as MapTypeName] ?? {};

/** The number of a type given by number or by name. */
export function mapType(type: number | MapTypeName): number {
  if (typeof type === 'number' && Number.isInteger(type) && type >= 0) return type;
  if (typeof type === 'string' && Object.hasOwn(MapType, type)) return MapType[type];
  const known = Object.keys(MapType).join(', ');
  throw new BpfError('BPF_ARGUMENT', `map type ${String(type)} is not known; there are ${known}`);
}

/** What a view of a map's elements asks first: that the map is of a type it knows. */
export function expectType(map: OpenMap, view: string, ...types: MapTypeName[]): void {
  if (!(map instanceof Handle) || !map.info) throw new BpfError('BPF_ARGUMENT', `${view} takes a BpfMap`);
  if (types.some((t) => MapType[t] === map.info.type)) return;
  throw new BpfError(
    'BPF_ARGUMENT',
    `${map.what} is of type ${map.info.typeName}: ${view} takes ${types.join(' or ')}`,
  );
}

/** The descriptor of what is put into a map. */
export function fdOf(what: string, handle: Handle): number {
  if (handle instanceof Handle) return handle.fd;
  throw new BpfError('BPF_ARGUMENT', `${what} must be an open map or program, got ${typeof handle}`);
}
