import { MapType } from '../constants.js';
import { BpfError } from '../errors.js';
import { POSSIBLE_CPUS } from './cpus.js';
import type { MapInfo, OpenMap } from './info.js';

/** Per-CPU types: an element holds a value for every possible CPU. */
const PER_CPU = new Set([
  MapType.percpu_hash,
  MapType.percpu_array,
  MapType.lru_percpu_hash,
  MapType.percpu_cgroup_storage,
]);

export const round8 = (n: number): number => (n + 7) & ~7;

/** Bytes of an element as user space sees it. */
export const valueBytes = ({ type, valueSize }: MapInfo): number =>
  PER_CPU.has(type) ? round8(valueSize) * POSSIBLE_CPUS.length : valueSize;

/** @internal See BpfMap.perCpu. */
export function perCpu(map: OpenMap, value: Uint8Array): Uint8Array[] {
  const { type, valueSize } = map.info;
  if (!PER_CPU.has(type)) return [value];
  return POSSIBLE_CPUS.map((_, i) => value.subarray(i * map.stride, i * map.stride + valueSize));
}

/** @internal See BpfMap.fromPerCpu. */
export function fillPerCpu(map: OpenMap, values: readonly Uint8Array[], places: readonly Uint8Array[]): void {
  if (values?.length !== places.length)
    throw new BpfError(
      'BPF_ARGUMENT',
      `${map.what} has values for ${places.length} CPUs, got ${values?.length}`,
    );
  for (const [i, v] of values.entries()) {
    if (v?.byteLength !== map.info.valueSize)
      throw new BpfError(
        'BPF_ARGUMENT',
        `value of ${map.what} is ${map.info.valueSize} bytes for each CPU, got ${v?.byteLength ?? typeof v}`,
      );
    places[i]!.set(v);
  }
}
