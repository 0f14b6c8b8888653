import { readdirSync } from 'node:fs';
import { affinity, setAffinity } from 'bpf-loader-ts/sys';

/**
 * Moves every thread of this process off `cpus`, and with them the threads that they start later. A spinning worker decides late if another
 * thread pushes it aside. The scheduler leaves threads beside it while the other CPUs are busy.
 *
 * Returns a function that undoes it. Returns undefined, and moves nothing, if the calling thread may run on no other CPU.
 */
export function keepOff(cpus: readonly number[]): (() => void) | undefined {
  const others = (tid?: number): number[] => affinity(tid).filter((cpu) => !cpus.includes(cpu));
  if (others().length === 0) return undefined;
  const before = new Map<number, number[]>();
  for (const tid of readdirSync('/proc/self/task').map(Number))
    unlessEnded(() => {
      const rest = others(tid);
      // The thread is bound to these CPUs alone, so it stays.
      if (rest.length === 0) return;
      before.set(tid, affinity(tid));
      setAffinity(rest, tid);
    });
  return () => {
    for (const [tid, all] of before) unlessEnded(() => setAffinity(all, tid));
  };
}

/** Ignores threads that end while they are listed. */
function unlessEnded(change: () => void): void {
  try {
    change();
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e;
  }
}
