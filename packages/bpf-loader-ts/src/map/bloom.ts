import { native } from '../binding.js';
import { mapFailed } from './failed.js';
import { expectType } from './kinds.js';
import type { BpfMap } from './map.js';
import { keyless } from './queue.js';

const ENOENT = -2;

/** A map of type bloom_filter: values can be added, never taken away. Linux 5.16. Does not own the map. */
export class BloomFilter {
  readonly map: BpfMap;

  constructor(map: BpfMap) {
    expectType(map, 'BloomFilter', 'bloom_filter');
    this.map = map;
  }

  /** Adds a value. Throws BPF_ARGUMENT for another size. */
  add(value: Uint8Array): void {
    const rc = keyless(this.map, native.mapUpdate, 'add to', value);
    if (rc !== 0) mapFailed(this.map, rc, 'add to');
  }

  /** False: was never added. True: was added, or (rarely, the more often the fuller) looks like it. */
  has(value: Uint8Array): boolean {
    const rc = keyless(this.map, native.mapLookup, 'lookup in', value);
    return rc === 0 || (rc === ENOENT ? false : mapFailed(this.map, rc, 'lookup in'));
  }
}
