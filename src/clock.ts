import { monotonicNs } from 'bpf-loader-ts/sys';

/** Returns a time in nanoseconds as records of int32 hold it: in milliseconds, wrapping. */
export const wrappedMs = (ns: number): number => (ns / 1e6) | 0;

/** Returns CLOCK_MONOTONIC as records of int32 hold it: in milliseconds, wrapping. */
export const monotonicMs = (): number => wrappedMs(monotonicNs());
