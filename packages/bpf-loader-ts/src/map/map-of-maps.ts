import { expectType, fdOf } from './kinds.js';
import { BpfMap } from './map.js';
import { word, words } from './u32.js';

/**
 * Maps within a map of type array_of_maps (Linux 4.12; keys are indexes, see `words`) or hash_of_maps. It does not own the map; the map
 * holds its own references to those within.
 */
export class MapOfMaps {
  readonly map: BpfMap;

  constructor(map: BpfMap) {
    expectType(map, 'MapOfMaps', 'array_of_maps', 'hash_of_maps');
    this.map = map;
  }

  /**
   * Puts a map there, in place of the one that may be. It must be of the type and sizes of the `innerMap` that the outer was made with, else
   * BPF_MAP with EINVAL. Programs that run meanwhile see the old or the new one; on return none sees the old one any more (Linux 4.19).
   */
  set(key: Uint8Array, inner: BpfMap, flags = 0): void {
    this.map.update(key, words(fdOf('inner', inner)), flags);
  }

  /** The kernel's number of the map there; undefined if there is none. */
  id(key: Uint8Array): number | undefined {
    const value = this.map.lookup(key);
    return value && word(value, 0);
  }

  /** Opens the map there, to be closed by the caller; undefined if there is none. It needs CAP_SYS_ADMIN. */
  get(key: Uint8Array): BpfMap | undefined {
    const id = this.id(key);
    return id === undefined ? undefined : BpfMap.fromId(id);
  }

  /** True if there was a map. */
  delete(key: Uint8Array): boolean {
    return this.map.delete(key);
  }
}
