import { native } from '../binding.js';

const sys = native as {
  gettid(): number;
  setNice(nice: number): number;
  setAffinity(mask: Uint8Array, tid: number): void;
  affinity(mask: Uint8Array, tid: number): void;
  memlockLimit(): MemlockLimit;
  raiseMemlock(): boolean;
};

/** RLIMIT_MEMLOCK in bytes; Infinity for unlimited. */
export interface MemlockLimit {
  soft: number;
  hard: number;
}

/** The kernel's id of the calling thread, as in /proc/self/task. */
export function gettid(): number {
  return sys.gettid();
}

/** Nice value of the calling thread, -20 (first) to 19. Returns 0, or -EACCES where a lower value needs CAP_SYS_NICE. */
export function setNice(nice: number): number {
  return sys.setNice(nice);
}

/** As many as any kernel is built for. */
const CPUS_MAX = 8192;

/**
 * Binds a thread to one CPU or to some of them, counted from 0. `tid` is its id as `gettid` gives it, by default that of the calling thread.
 * Throws EINVAL when none of them exists and is allowed, ESRCH when there is no such thread.
 */
export function setAffinity(cpus: number | readonly number[], tid = 0): void {
  const list = typeof cpus === 'number' ? [cpus] : cpus;
  const mask = new Uint8Array(CPUS_MAX / 8);
  // The kernel refuses a mask without a CPU that exists: what lies beyond the mask needs no check of its own.
  for (const cpu of list) mask[cpu >> 3]! |= 1 << (cpu & 7);
  sys.setAffinity(mask, tid);
}

/** The CPUs that a thread may run on, ascending. `tid` is its id, by default that of the calling thread. Throws ESRCH when there is no such thread. */
export function affinity(tid = 0): number[] {
  const mask = new Uint8Array(CPUS_MAX / 8);
  sys.affinity(mask, tid);
  return Array.from({ length: CPUS_MAX }, (_, cpu) => cpu).filter(
    (cpu) => (mask[cpu >> 3]! >> (cpu & 7)) & 1,
  );
}

/** The process's RLIMIT_MEMLOCK. */
export function memlockLimit(): MemlockLimit {
  return sys.memlockLimit();
}

/**
 * Raises RLIMIT_MEMLOCK as far as allowed; true when it is unlimited now. Only kernels before 5.11 charge BPF maps to it.
 */
export function raiseMemlock(): boolean {
  return sys.raiseMemlock();
}
