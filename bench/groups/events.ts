import { possibleCpus } from 'bpf-loader-ts';
import { Epoll, EventFd } from 'bpf-loader-ts/sys';
import { bench } from '../../bpf/bench.bpf.js';
import { bpfObject } from '../../src/paths.js';
import { EVENTS, type EventsTask } from '../../workers/bench-events.js';
import { type BenchContext, CPU_A, CPU_B, pinMainThread } from '../context.js';
import { benchProgramsBut, until } from '../instance.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

/** Events before those that count: code is compiled, caches are warm. */
const WARM_UP = 2000;

/**
 * From a BPF program's time stamp (bpf_ktime_get_ns, just before the record is submitted) to a worker thread that has read it and the clock,
 * microseconds. Method: a program run by BPF_PROG_TEST_RUN on one CPU submits a record as tier 0 does; the worker on the other CPU is
 * blocked in epoll_wait, or spins on the ring. The next one follows 50 to 150 µs (by chance) after the last was seen: the worker is
 * asleep again. Every event counts.
 */
export async function events(ctx: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  const unpin = pinMainThread(CPU_A);
  try {
    for (const wait of ['epoll', 'spin'] as const) {
      rows.push(...(await ctx.steps.one(wait, () => latency(ctx, wait))));
      ctx.progress(`${wait}: done`);
    }
  } finally {
    unpin();
  }
  return rows;
}

async function latency(ctx: BenchContext, wait: 'epoll' | 'spin'): Promise<Row[]> {
  const latencies = await measure(ctx, wait, ctx.scale(20_000, 1000));
  const name = `event to worker, ${wait === 'epoll' ? 'blocked in epoll' : 'spinning'}`;
  const parameters = {
    producer_cpu: CPU_A,
    worker_cpu: CPU_B,
    gap_us: '50 … 150 after the last was seen',
  };
  const row: Row = { name, unit: 'µs', ...summarize(latencies.map((ns) => ns / 1000)), parameters };
  return [withTargets(row, { of: 'p50', atMost: wait === 'epoll' ? 20 : 1 })];
}

async function measure(ctx: BenchContext, wait: 'epoll' | 'spin', n: number): Promise<Float64Array> {
  const object = bench.load(bpfObject('bench'), {
    maxEntries: { lines: 1, counters: possibleCpus() },
    skip: benchProgramsBut('vf_bench_event'),
  });
  const wake = new EventFd();
  const control = new Int32Array(new SharedArrayBuffer(64));
  const latencies = new Float64Array(new SharedArrayBuffer(8 * (WARM_UP + n)));
  let worker: Promise<void> | undefined;
  try {
    const program = object.programs.vf_bench_event;
    worker = ctx.inWorker<EventsTask, void>('bench-events', {
      events: object.maps.events.fd,
      wake: wake.fd,
      control: control.buffer as SharedArrayBuffer,
      latencies: latencies.buffer as SharedArrayBuffer,
      wait,
      cpu: CPU_B,
    });
    worker.catch(() => {});
    await until(ctx, 'the worker', () => Atomics.load(control, EVENTS.running) === 1);
    using epoll = new Epoll();
    const none = new Int32Array(1);
    const data = new Uint8Array(60);
    for (let i = 0; i < WARM_UP + n; i++) {
      if (i % 1000 === 0) await ctx.breathe();
      const { retval } = program.testRun({ data });
      if (retval !== 0xffffffff) throw new Error('the ring buffer is full: the worker does not read');
      const patience = performance.now() + 5000;
      while (Atomics.load(control, EVENTS.seen) <= i)
        if (performance.now() > patience) throw new Error(`event ${i} was not seen`);
      epoll.wait(none, 1 + Math.floor(100 * Math.random()));
    }
    return latencies.slice(WARM_UP);
  } finally {
    Atomics.store(control, EVENTS.stop, 1);
    wake.signal();
    await worker?.catch(() => {});
    wake.close();
    object.close();
  }
}
