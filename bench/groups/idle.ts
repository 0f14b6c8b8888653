import { readFileSync } from 'node:fs';
import { monotonicNs } from 'bpf-loader-ts/sys';
import type { BenchContext } from '../context.js';
import { withInstance } from '../instance.js';
import { type Row, withTargets } from '../report.js';
import { type ThreadUsage, threadsOf } from '../threads.js';

interface Usage {
  atNs: number;
  /** CPU time of all threads by the scheduler's own account, ns. */
  ranNs: number;
  /** Of each thread; the first is the main one. */
  threadNs: number[];
  /** The same by the kernel's statistics, in ticks of 10 ms: for comparison. */
  ticks: number;
  /** Times that a thread went to sleep by itself, so was woken later. */
  voluntary: number;
  involuntary: number;
}

function usageOf(pid: number): Usage {
  const threads = threadsOf(pid);
  const sum = (of: (t: ThreadUsage) => number): number => threads.reduce((n, t) => n + of(t), 0);
  // After the name, which may hold anything but a closing parenthesis at its end: fields 14 and 15 of proc(5).
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  return {
    atNs: monotonicNs(),
    ranNs: sum((t) => t.ranNs),
    threadNs: threads.map((t) => t.ranNs),
    ticks: Number(fields[11]) + Number(fields[12]),
    voluntary: sum((t) => t.voluntary),
    involuntary: sum((t) => t.involuntary),
  };
}

/** V8 is through with what the start left behind by then: its garbage, and code worth compiling. */
const SETTLE_MS = 25_000;

/**
 * What a daemon costs that steers one instance and has nothing to do. Method: 25 s after it is ready, over 20 s, the CPU time of all its
 * threads (run time in /proc/PID/task/TID/schedstat, nanoseconds) as a share of one CPU, and their voluntary context switches per second.
 * No traffic; nothing asks it anything meanwhile; it is not pinned.
 */
export async function idle(ctx: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  for (const wait of ['epoll', 'poll'] as const)
    rows.push(...(await ctx.steps.one(`idle, ${wait}`, () => measure(ctx, wait))));
  return rows;
}

async function measure(ctx: BenchContext, wait: 'epoll' | 'poll'): Promise<Row[]> {
  const [before, after] = await withInstance(ctx, { kind: 'veth', wait, cpu: null }, async ({ daemon }) => {
    await ctx.sleep(ctx.scale(SETTLE_MS, 500));
    const first = usageOf(daemon.pid!);
    await ctx.sleep(ctx.scale(20_000, 2000));
    return [first, usageOf(daemon.pid!)];
  });
  const seconds = (after!.atNs - before!.atNs) / 1e9;
  const per = (key: 'voluntary' | 'involuntary'): number => (after![key] - before![key]) / seconds;
  const parameters = {
    seconds,
    instances: 1,
    poll_interval_us: 1000,
    percent_by_thread: after!.threadNs.map(
      (ns, i) => (100 * (ns - (before!.threadNs[i] ?? 0))) / 1e9 / seconds,
    ),
    percent_by_stat_ticks: (after!.ticks - before!.ticks) / seconds,
    involuntary_per_s: per('involuntary'),
  };
  const share: Row = {
    name: `idle daemon, ${wait} 1 ms: CPU`,
    unit: '% of a core',
    value: (100 * (after!.ranNs - before!.ranNs)) / 1e9 / seconds,
    parameters,
  };
  const wakeups: Row = {
    name: `idle daemon, ${wait} 1 ms: wake-ups`,
    unit: '1/s',
    value: per('voluntary'),
    parameters,
  };
  ctx.progress(`${wait}: ${share.value?.toFixed(2)} % of a core, ${wakeups.value?.toFixed(0)} wake-ups/s`);
  return [wait === 'epoll' ? withTargets(share, { of: 'value', atMost: 1 }) : share, wakeups];
}
