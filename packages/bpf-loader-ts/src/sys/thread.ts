import { native } from '../binding.js';

const sys = native as {
  gettid(): number;
  setNice(nice: number): number;
  setAffinity(cpu: number): void;
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

/** Binds the calling thread to one CPU, counted from 0. Throws EINVAL when the CPU does not exist or is not allowed. */
export function setAffinity(cpu: number): void {
  sys.setAffinity(cpu);
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
