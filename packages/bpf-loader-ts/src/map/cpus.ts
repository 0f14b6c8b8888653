import { readFileSync } from 'node:fs';

/** CPUs of a list such as `0-3,8`. */
function parseCpus(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

/** The CPUs there can ever be, in the order in which a per-CPU value lists them. Does not change while running. */
export const POSSIBLE_CPUS: readonly number[] = parseCpus(
  readFileSync('/sys/devices/system/cpu/possible', 'utf8'),
);

/** Highest possible CPU number + 1: what an array indexed by bpf_get_smp_processor_id() needs. Does not change while running. */
export const possibleCpus = (): number => POSSIBLE_CPUS.at(-1)! + 1;
