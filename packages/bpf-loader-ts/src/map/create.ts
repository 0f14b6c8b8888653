import { native } from '../binding.js';
import { BPF_F_NUMA_NODE, type MapTypeName, mapTypeName } from '../constants.js';
import { BpfError } from '../errors.js';
import { wrap } from '../wrap.js';
import type { OpenMap } from './info.js';
import { kindOf, mapType } from './kinds.js';

/** What a new map is made of. What a type fixes, or what is natural for it, may be left out. */
export interface MapOptions {
  /** MapType, or its name: `percpu_hash`. */
  type: number | MapTypeName;
  /** Up to 15 letters, digits, `_` and `.`; none by default. */
  name?: string;
  /** Bytes. */
  keySize?: number;
  /** Bytes; for per-CPU types those of one CPU's value. */
  valueSize?: number;
  maxEntries?: number;
  /** BPF_F_…; BPF_F_NO_PREALLOC by default where the kernel insists on it (lpm_trie, storage), else 0. */
  flags?: number;
  /** For array_of_maps and hash_of_maps: a map like those that will be in it. Only its type, sizes and flags matter. */
  innerMap?: OpenMap;
  /** Memory node to allocate from (Linux 4.14). */
  numaNode?: number;
  /** Bloom filter: number of hash functions, 1 to 15 (Linux 5.16; 5 by default). */
  mapExtra?: number;
}

const NAME_MAX = 15;

/** The descriptor of a new map. */
export function createMap(options: MapOptions): number {
  const type = mapType(options.type);
  const kind = kindOf(type);
  const { name = '', numaNode, innerMap, mapExtra = 0 } = options;
  const need = (field: 'keySize' | 'valueSize' | 'maxEntries'): number => {
    const value = options[field] ?? kind[field];
    if (value === undefined)
      throw new BpfError(
        'BPF_ARGUMENT',
        `create map ${name}: a map of type ${mapTypeName(type)} needs ${field}`,
      );
    return value;
  };
  const [keySize, valueSize, maxEntries] = [need('keySize'), need('valueSize'), need('maxEntries')];
  if (Buffer.byteLength(name) > NAME_MAX)
    throw new BpfError('BPF_ARGUMENT', `create map ${name}: a name has at most ${NAME_MAX} bytes`);
  const flags = (options.flags ?? kind.flags ?? 0) | (numaNode === undefined ? 0 : BPF_F_NUMA_NODE);
  const spec = `${mapTypeName(type)}, keys of ${keySize} bytes, values of ${valueSize}, ${maxEntries} entries, flags ${flags}`;
  return wrap('BPF_MAP', `create map ${name} (${spec})`, () =>
    native.mapCreate(type, name, keySize, valueSize, maxEntries, flags, innerMap?.fd, numaNode, mapExtra),
  );
}
