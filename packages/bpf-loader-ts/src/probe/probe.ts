import { release } from 'node:os';
import { native } from '../binding.js';
import { BpfError } from '../errors.js';
import { errnoOf, wrap } from '../wrap.js';

/** Three-valued: `inconclusive` when the probe could not tell (no permission, say). `detail` says why and names the kernel. */
export interface Probe {
  answer: 'supported' | 'unsupported' | 'inconclusive';
  detail: string;
}

const cache = new Map<string, Probe>();

/**
 * Asks the kernel once: conclusive answers are kept. What `test` throws makes the answer inconclusive; it must answer false only to what a
 * kernel says that does not have the feature, or with the reason where that is another than its age. `since`: the first kernel that has it,
 * and what it must be built with.
 */
export function probe(name: string, since: string, test: () => boolean | string): Probe {
  const known = cache.get(name);
  if (known) return known;
  let result: Probe;
  try {
    const found = test();
    const why = typeof found === 'string' ? found : `requires kernel >= ${since}`;
    result =
      found === true
        ? { answer: 'supported', detail: `${name} works` }
        : { answer: 'unsupported', detail: `${name} not supported (${why}; this is ${release()})` };
  } catch (e) {
    return { answer: 'inconclusive', detail: `${name}: ${(e as Error).message} (this is ${release()})` };
  }
  Object.freeze(result);
  cache.set(name, result);
  return result;
}

/** Runs `make`, which returns a descriptor: true if it does, false if the kernel says one of these errors instead. */
export function works(make: () => number, ...no: string[]): boolean {
  try {
    native.fdClose(wrap('BPF_LOAD', 'probe', make));
    return true;
  } catch (e) {
    if (no.includes(errno(e) ?? '')) return false;
    throw e;
  }
}

/** True if the kernel refuses with this error, since it got so far; false for one of the others. */
export function refuses(make: () => number, yes: string, ...no: string[]): boolean {
  try {
    return works(make, ...no);
  } catch (e) {
    if (errno(e) === yes) return true;
    throw e;
  }
}

/** The errno's name, of an error of the addon's or of what became of it. */
export const errno = (e: unknown): string | undefined => (e instanceof BpfError ? e.errno : errnoOf(e));

/**
 * The error that a caller should see: BPF_UNSUPPORTED with the reason when the kernel's refusal has one, else the error itself.
 */
export function orUnsupported(e: unknown, doing: string, have: () => Probe): unknown {
  if (!(e instanceof BpfError) || !['EINVAL', 'EOPNOTSUPP', 'ENOTSUPP', 'ENOSYS'].includes(e.errno ?? ''))
    return e;
  const { answer, detail } = have();
  return answer === 'unsupported'
    ? new BpfError('BPF_UNSUPPORTED', `${doing}: ${detail}`, { errno: e.errno!, cause: e })
    : e;
}
