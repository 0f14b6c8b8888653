import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { monotonicNs } from 'bpf-loader-ts/sys';
import { Frr } from '../../test/vm/lab/frr.js';
import { type BenchContext, CPU_A, CPU_B, pinProcess } from '../context.js';
import { Fleet } from '../fleet.js';
import { until } from '../instance.js';
import { type Row, withTargets } from '../report.js';

const INTERVAL_MS = 10;
const MULTIPLIER = 3;
const RETRY_MS = 500;

interface Usage {
  atNs: number;
  /** CPU time of each thread by its name, ns, by the scheduler's own account. */
  threads: Map<string, number>;
}

function usageOf(pid: number): Usage {
  const threads = new Map<string, number>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const name = readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim();
    const ran = Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]);
    threads.set(`${tid} ${name}`, ran);
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
    if (share >= 0.05) threads[thread.replace(/^\d+ /, '')] = Number(share.toFixed(2));
  }
  return { all, threads };
}

/**
 * What many sessions cost: 256 instances of one daemon, each with a session of 3 × 10 ms with bfdd, which has all 256. Method: every instance
 * is whole (a pair of veths in a bridge of its own, its programs, its session); once all are up, over 10 s, the CPU time of all threads of our
 * process, and of bfdd's, as shares of one core, each on a CPU of its own.
 * bfdd runs under SCHED_FIFO, as our sender does: else others on the machine end its sessions, and nothing is measured. With veth a sender's time holds what the receiver's end does with
 * the packet (our programs, bfdd's IP stack up to its socket): each has a part of the other's in its figure.
 */
export async function manySessions(ctx: BenchContext): Promise<Row[]> {
  const n = ctx.scale(256, 16);
  const us = INTERVAL_MS * 1000;
  const started = performance.now();
  const fleet = new Fleet(ctx, {
    n,
    cpu: CPU_A,
    detect: (m) => ({
      bfd: {
        peer: m.host,
        local: m.address,
        tx_interval_us: us,
        rx_interval_us: us,
        multiplier: MULTIPLIER,
        retry_ms: RETRY_MS,
        retry_max_ms: RETRY_MS,
      },
    }),
  });
  let frr: Frr | undefined;
  try {
    ctx.progress(`devices of ${n} instances: ${((performance.now() - started) / 1000).toFixed(0)} s`);
    await fleet.start();
    ctx.progress(`${n} instances attached: ${((performance.now() - started) / 1000).toFixed(0)} s`);
    frr = await Frr.start(fleet.host);
    const bfdd = frr.pids[1]!;
    for (const pid of frr.pids) pinProcess(pid, CPU_B);
    execFileSync('chrt', ['--fifo', '--pid', '1', String(bfdd)]);
    for (const m of fleet.members)
      await frr.peer(
        `${m.address} local-address ${m.host} interface ${m.bridge}`,
        ...[`receive-interval ${INTERVAL_MS}`, `transmit-interval ${INTERVAL_MS}`],
        ...[`detect-multiplier ${MULTIPLIER}`, 'no shutdown'],
      );
    const up = async (): Promise<number> => (await frr!.peers()).filter((p) => p.status === 'up').length;
    await fleet.sessionsUp();
    await until(ctx, `${n} sessions up at bfdd`, async () => (await up()) === n, 200);
    ctx.progress(`${n} sessions up: ${((performance.now() - started) / 1000).toFixed(0)} s`);
    await ctx.sleep(ctx.scale(3000, 500));
    const since = (await fleet.client!.request('events', { limit: 1 })).at(-1)?.seq ?? 0;
    const pids = [fleet.daemon!.pid!, bfdd];
    const before = pids.map(usageOf);
    await ctx.sleep(ctx.scale(10_000, 2000));
    const [ours, theirs] = pids.map((pid, i) => percent(before[i]!, usageOf(pid)));
    const fell = await fleet.client!.request('events', { since });
    const parameters = {
      sessions: n,
      interval_ms: INTERVAL_MS,
      multiplier: MULTIPLIER,
      devices: 'veth',
      fell: fell.length,
    };
    const name = `BFD, ${n} sessions of ${MULTIPLIER} × ${INTERVAL_MS} ms`;
    return [
      withTargets(
        {
          name: `${name}: CPU`,
          unit: '% of a core',
          value: ours!.all,
          parameters: { ...parameters, percent_by_thread: ours!.threads },
        },
        { of: 'value', atMost: 10 },
      ),
      {
        name: `${name}: CPU of bfdd`,
        unit: '% of a core',
        value: theirs!.all,
        parameters: { ...parameters, percent_by_thread: theirs!.threads },
      },
      { name: `${name}: sessions lost meanwhile`, unit: 'switches', value: fell.length, parameters },
    ];
  } finally {
    await frr?.close();
    await fleet.close();
  }
}
