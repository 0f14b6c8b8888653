import { monotonicNs } from 'bpf-loader-ts/sys';
import type { Decision } from '../../src/api/index.js';
import { BfddPair } from '../bfdd-pair.js';
import { type BenchContext, CPU_A, CPU_B, pinProcess } from '../context.js';
import { bfdOf, Fleet } from '../fleet.js';
import { type Parameters, type Row, withTargets } from '../report.js';
import { threadsOf } from '../threads.js';

const INTERVAL_MS = 10;
const MULTIPLIER = 3;
const RETRY_MS = 500;

interface Usage {
  atNs: number;
  /** CPU time of threads by their names, ns, by the scheduler's own account. */
  threads: Map<string, number>;
}

function usageOf(pid: number): Usage {
  const threads = new Map<string, number>();
  for (const { tid, name, ranNs } of threadsOf(pid)) {
    const what = tid === pid ? `${name} (main)` : name;
    threads.set(what, (threads.get(what) ?? 0) + ranNs);
  }
  return { atNs: monotonicNs(), threads };
}

/** Percent of a core between the two, of all threads and of each that used any. */
function percent(before: Usage, after: Usage): { all: number; threads: Record<string, number> } {
  const threads: Record<string, number> = {};
  let all = 0;
  for (const [thread, ns] of after.threads) {
    const share = (100 * (ns - (before.threads.get(thread) ?? 0))) / (after.atNs - before.atNs);
    all += share;
    if (share >= 0.05) threads[thread] = Number(share.toFixed(2));
  }
  return { all, threads };
}

/**
 * What many sessions cost: 256 sessions of 3 × 10 ms. Method: 256 instances of one daemon, each whole (two devices, its programs, its
 * session), two and two each other's peers over veths; once all are up, over 10 s, the CPU time of all threads of the daemon, as a share of one core.
 * All that a packet costs at both ends is in it: with veth its sender's time holds what the receiver's end does with it. Then as many sessions
 * between two bfdd, over one veth, each on a CPU of its own: likewise, of the two the one that used more, and how often its sessions fell (a bfdd
 * that cannot keep up loses them, and then has less to do).
 */
export async function manySessions(ctx: BenchContext): Promise<Row[]> {
  const n = ctx.scale(256, 16);
  return [
    ...(await ctx.steps.one('sessions of ours', () => ours(ctx, n))),
    ...(await ctx.steps.one('sessions of bfdd', () => theirs(ctx, n))),
  ];
}

const NAME = (n: number): string => `BFD, ${n} sessions of ${MULTIPLIER} × ${INTERVAL_MS} ms`;
const parametersOf = (n: number): Parameters => ({
  sessions: n,
  interval_ms: INTERVAL_MS,
  multiplier: MULTIPLIER,
  devices: 'veth',
});

async function ours(ctx: BenchContext, n: number): Promise<Row[]> {
  const started = performance.now();
  const progress = (what: string): void =>
    ctx.progress(`${what}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  const bfd = { multiplier: MULTIPLIER, retry_ms: RETRY_MS, retry_max_ms: RETRY_MS };
  const fleet = new Fleet(ctx, {
    n,
    peers: 'direct',
    cpu: null,
    detect: (m) => ({ bfd: bfdOf(m, INTERVAL_MS * 1000, bfd) }),
  });
  try {
    await fleet.start();
    progress(`${n} instances attached`);
    await fleet.sessionsUp();
    progress(`${n} sessions up`);
    await ctx.sleep(ctx.scale(3000, 500));
    const falls = async (since = 0): Promise<Decision[]> =>
      (await fleet.client!.request('events', { since }, { timeout_ms: 60_000 })).filter(
        (d) => d.cause === 'bfd',
      );
    const since = (await falls()).at(-1)?.seq ?? 0;
    const before = usageOf(fleet.daemon!.pid!);
    await ctx.sleep(ctx.scale(10_000, 2000));
    const { all, threads } = percent(before, usageOf(fleet.daemon!.pid!));
    const fell = (await falls(since)).length;
    const parameters = { ...parametersOf(n), percent_by_thread: threads, switches: fell };
    const row: Row = { name: `${NAME(n)}: CPU`, unit: '% of a core', value: all, parameters };
    return [
      withTargets(row, { of: 'value', atMost: 10 }),
      { name: `${NAME(n)}: sessions lost meanwhile`, unit: 'sessions', value: fell, parameters },
    ];
  } finally {
    await fleet.close();
  }
}

async function theirs(ctx: BenchContext, n: number): Promise<Row[]> {
  const pair = await BfddPair.start(ctx, n, INTERVAL_MS, MULTIPLIER);
  try {
    for (const [i, pid] of pair.pids.entries()) pinProcess(pid, [CPU_A, CPU_B][i]!);
    await ctx.sleep(ctx.scale(3000, 500));
    const fallen = await pair.falls();
    const before = pair.pids.map(usageOf);
    await ctx.sleep(ctx.scale(10_000, 2000));
    const shares = pair.pids.map((pid, i) => percent(before[i]!, usageOf(pid)).all);
    const fell = (await pair.falls()) - fallen;
    const parameters = { ...parametersOf(n), percent: shares, lost: fell };
    return [
      { name: `${NAME(n)}: CPU of bfdd`, unit: '% of a core', value: Math.max(...shares), parameters },
      { name: `${NAME(n)}: sessions bfdd lost meanwhile`, unit: 'sessions', value: fell, parameters },
    ];
  } finally {
    await pair.close();
  }
}
