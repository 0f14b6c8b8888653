import { native } from '../binding.js';

/** What the memory of maps and programs is charged to: the memory cgroup (Linux 5.11), or RLIMIT_MEMLOCK of the user. */
export type MemoryAccounting = 'cgroup' | 'rlimit';

let known: MemoryAccounting | undefined;

/** Measured: whether a map can be made where the limit is 0. Undefined when this process cannot make one in any case. */
export function memoryAccounting(): MemoryAccounting | undefined {
  if (known) return known;
  const { asWeAre, without } = native.memlockTrial() as { asWeAre: number; without: number };
  if (without === 0) known = 'cgroup';
  else if (asWeAre === 0) known = 'rlimit';
  return known;
}
