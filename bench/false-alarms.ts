import type { Stream } from '../lab/netns/stream.js';
import type { Decision } from '../src/api/index.js';
import { type BenchContext, CPU_A, CPU_B, hog } from './context.js';
import { type Instance, until } from './instance.js';
import { Mix } from './mix.js';

/** A time with traffic in which nothing was broken. */
export interface Calm {
  seconds: number;
  busy: boolean;
  /** Switches for a path that was said to be silent. */
  alarms: Decision[];
  requests: number;
  unanswered: number;
}

/** Mixed traffic and nothing broken for `seconds`; `busy`: beside an endless loop on each CPU. */
export async function calm(
  ctx: BenchContext,
  { world, client, onPrimary }: Instance,
  stream: Stream,
  seconds: number,
  busy: boolean,
): Promise<Calm> {
  const alarms: Decision[] = [];
  const mix = await Mix.start(ctx, world, stream);
  const hogs = busy ? [CPU_A, CPU_B].map(hog) : [];
  try {
    const end = performance.now() + seconds * 1000;
    // Beside the loops the daemon, which shares a CPU with one, may answer late.
    const patient = { timeout_ms: 60_000 };
    let since = (await client.request('events', { limit: 1 }, patient)).at(-1)?.seq ?? 0;
    while (performance.now() < end) {
      await until(ctx, 'a failback', onPrimary);
      await mix.phase();
      const decisions = await client.request('events', { since }, patient);
      since = decisions.at(-1)?.seq ?? since;
      alarms.push(...decisions.filter((d) => d.cause === 'unanswered'));
    }
    return { seconds, busy, alarms, requests: mix.requests, unanswered: mix.unanswered };
  } finally {
    for (const h of hogs) h.kill('SIGKILL');
    await mix.close();
  }
}
