import { setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import { SLOWDOWN } from './kernel.js';

/*
 * The only waits that tests have. `until` comes before an assertion that something is there, `quietFor` before one that something is not.
 * `elapse` is part of the experiment itself: how long a fault lasts, or the gap between two frames. Each is stretched by SLOWDOWN.
 */

/** The longest that `until` waits before it asks again, ms. The first times are closer together. */
const POLL_MS = 16;

/** Asks until `holds` is true of the answer, and returns that answer. After `ms` it throws with the last one. */
export async function until<T>(
  ask: () => Promise<T> | T,
  holds: (answer: T) => unknown = Boolean,
  ms = 5000,
): Promise<T> {
  const end = performance.now() + ms * SLOWDOWN;
  for (let gap = 1; ; gap = Math.min(2 * gap, POLL_MS)) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (performance.now() > end) {
      const wanted = holds === Boolean ? ask : holds;
      const last = inspect(answer, { depth: 8, breakLength: 110, maxArrayLength: 200 });
      throw new Error(`not so within ${ms * SLOWDOWN} ms: ${wanted}\nthe last answer was ${last}`);
    }
    await setTimeout(gap);
  }
}

/** Time in which what must not happen would have happened. */
export const quietFor = (ms: number): Promise<void> => setTimeout(ms * SLOWDOWN);

/** Time that belongs to the experiment: a fault lasts so long, two frames are so far apart. */
export const elapse = (ms: number): Promise<void> => setTimeout(ms * SLOWDOWN);
