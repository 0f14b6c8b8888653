import { wrap } from '../wrap.js';

/** Ids in ascending order, each asked for when it is wanted; objects may come and go meanwhile. `next(0)` is the first, 0 the end. */
export function* kernelIds(what: string, next: (id: number) => number): Generator<number> {
  const after = (id: number): number => wrap('BPF_LOAD', `list of ${what}`, () => next(id));
  for (let id = after(0); id !== 0; id = after(id)) yield id;
}
