import { native } from '../binding.js';

const sys = native as {
  clockMonotonic(array: Float64Array, index: number): number;
  monotonicNs(): number;
  threadCpuNs(): number;
};

/**
 * Stores CLOCK_MONOTONIC in nanoseconds at array[index]: the clock of bpf_ktime_get_ns(). Exact up to 2^53 ns (104 days of
 * uptime), then to 2 ns. Allocates nothing, unlike a returned number. Returns 0, or -EINVAL for an index outside.
 */
export function clockMonotonic(array: Float64Array, index: number): number {
  return sys.clockMonotonic(array, index);
}

/** CLOCK_MONOTONIC in nanoseconds. */
export function monotonicNs(): number {
  return sys.monotonicNs();
}

/** CPU time that the calling thread has used, in nanoseconds. */
export function threadCpuNs(): number {
  return sys.threadCpuNs();
}
