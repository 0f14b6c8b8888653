import { native } from '../binding.js';
import { BPF_ANY, BPF_EXIST } from '../constants.js';
import { BpfError } from '../errors.js';
import { attempt, mapFailed } from './failed.js';
import { expectType } from './kinds.js';
import type { BpfMap } from './map.js';

const ENOENT = -2;

/** @internal A call on a map whose elements have no keys. */
export function keyless(
  map: BpfMap,
  call: (fd: number, keySize: number, valueBytes: number, k: null, v: Uint8Array, f: number) => number,
  doing: string,
  value: Uint8Array,
  flags = 0,
): number {
  if (value?.byteLength !== map.valueBytes)
    throw new BpfError(
      'BPF_ARGUMENT',
      `value of ${map.what} is ${map.valueBytes} bytes, got ${value?.byteLength ?? typeof value}`,
    );
  return attempt(map, doing, () => call(map.fd, 0, map.valueBytes, null, value, flags));
}

/** Elements of a map of type queue (first in, first out) or stack (last in, first out). Linux 4.20. Does not own the map. */
export class Queue {
  readonly map: BpfMap;

  constructor(map: BpfMap) {
    expectType(map, 'Queue', 'queue', 'stack');
    this.map = map;
  }

  /** Adds a value. When it is full: BPF_MAP with E2BIG, or with `evict` the oldest value makes room. */
  push(value: Uint8Array, options: { evict?: boolean } = {}): void {
    const flags = options.evict ? BPF_EXIST : BPF_ANY;
    const rc = keyless(this.map, native.mapUpdate, 'push to', value, flags);
    if (rc !== 0) mapFailed(this.map, rc, 'push to');
  }

  #take(call: Parameters<typeof keyless>[1], doing: string, into: Uint8Array): Uint8Array | undefined {
    const rc = keyless(this.map, call, doing, into);
    if (rc === 0) return into;
    return rc === ENOENT ? undefined : mapFailed(this.map, rc, doing);
  }

  /** Takes the next value; undefined when there is none. */
  pop(into: Uint8Array = new Uint8Array(this.map.valueBytes)): Uint8Array | undefined {
    return this.#take(native.mapLookupAndDelete, 'pop from', into);
  }

  /** The next value, which stays; undefined when there is none. */
  peek(into: Uint8Array = new Uint8Array(this.map.valueBytes)): Uint8Array | undefined {
    return this.#take(native.mapLookup, 'peek into', into);
  }
}
