import { BpfError } from '../errors.js';
import { type MemlockLimit, memlockLimit } from '../sys/thread.js';
import { type MemoryAccounting, memoryAccounting } from './accounting.js';
import { explainPermission } from './permission.js';

/** What BPF memory is charged to, and the limit of this process in bytes. */
export interface Memlock extends MemlockLimit {
  /** `rlimit`: the limit counts; `cgroup`: it does not. */
  accounting: MemoryAccounting;
}

/**
 * What BPF memory is charged to, measured, and RLIMIT_MEMLOCK in bytes (Infinity: none). Where that is `rlimit` (before Linux 5.11), libbpf
 * raises the limit of the whole process to infinity with the first map or program, which takes CAP_SYS_RESOURCE; elsewhere nobody
 * touches it. Throws BPF_PERMISSION where the process can make no map at all.
 */
export function memlock(): Memlock {
  const accounting = memoryAccounting();
  if (!accounting)
    throw new BpfError(
      'BPF_PERMISSION',
      `memlock: no map can be made to find out what is charged; ${explainPermission()}`,
    );
  return { accounting, ...memlockLimit() };
}
