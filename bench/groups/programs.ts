import type { ProgramName, ProgramsResult, ProgramsTask } from '../../workers/bench-programs.js';
import { type BenchContext, CPU_B } from '../context.js';
import { type Parameters, type Row, type Target, withTargets } from '../report.js';
import { median, summarize } from '../stats.js';

/** A round counts as undisturbed if its empty program took at most this many times what the fastest took. */
const UNDISTURBED = 1.1;

/** Rows: the program, its name in the table, its target. The difference to the empty program (or `over`) of the same round, ns. */
const ROWS: readonly { program: ProgramName; over?: ProgramName; name: string; targets: Target[] }[] = [
  { program: 'vf_count_only', name: 'count', targets: [{ of: 'p50', atMost: 1 }] },
  { program: 'vf_count_steer', name: 'count + steer', targets: [{ of: 'p50', atMost: 2.5 }] },
  { program: 'vf_carrier_check', name: 'carrier check', targets: [] },
  { program: 'vf_steer', name: 'vf_steer, whole', targets: [] },
  { program: 'vf_guard', name: 'vf_guard, whole', targets: [] },
  { program: 'vf_deliver', name: 'vf_deliver, whole', targets: [] },
  { program: 'vf_accept', name: 'vf_accept, whole', targets: [] },
  { program: 'placed_deliver', over: 'vf_deliver', name: 'vf_deliver, look at the namespace', targets: [] },
  { program: 'placed_accept', over: 'vf_accept', name: 'vf_accept, look at the namespace', targets: [] },
  { program: 'watched_steer', name: 'vf_steer with the watchdog, no answer expected', targets: [] },
  { program: 'watched_steer_asks', name: 'vf_steer with the watchdog, answer expected', targets: [] },
  { program: 'watched_accept', name: 'vf_accept with the watchdog', targets: [] },
  { program: 'probed_steer', name: 'vf_steer with probes', targets: [] },
  { program: 'probed_accept', name: 'vf_accept with probes', targets: [] },
  { program: 'reflecting_accept', name: 'vf_accept with a reflector, another frame', targets: [] },
  {
    program: 'vf_groups_once',
    over: 'vf_groups_earlier',
    name: 'group frame of 60 B by both slaves, once by copy instead of by path',
    targets: [{ of: 'p50', atMost: 60 }],
  },
  {
    program: 'large_groups_once',
    over: 'large_groups_earlier',
    name: 'group frame of 1,514 B likewise, all of it instead of 64 B',
    targets: [{ of: 'p50', atMost: 60 }],
  },
  { program: 'vf_groups_sent', name: 'group frame of 60 B that the master sends', targets: [] },
  {
    program: 'vf_question_reflect',
    over: 'vf_question_only',
    name: 'S-BFD reflector, an answer',
    targets: [],
  },
];

/**
 * Cost per packet of the programs, nanoseconds. Method: BPF_PROG_TEST_RUN, at least 2,000,000 runs per call, wall time of the call by
 * CLOCK_MONOTONIC divided by the runs (the kernel's own figure is whole nanoseconds; it is in the parameters for comparison). A round
 * runs every program twice, in order and in reverse, and takes the difference to the empty program of the same round: the loop of the
 * test run cancels out. Caches are warm and one flow is seen: this is the cost of the instructions, not of cache misses.
 *
 * Where the machine shares its cores (a virtual CPU whose twin is busy), everything takes up to twice as long for seconds on end, and
 * differences grow threefold. Each row is therefore given twice: over all rounds, and over those alone in which the empty program,
 * which is not what is measured, was within a tenth of its best.
 */
export async function programs(ctx: BenchContext): Promise<Row[]> {
  const rounds = ctx.scale(41, 5);
  const repeat = ctx.scale(2_000_000, 500_000);
  const results: ProgramsResult[] = [];
  for (let round = 0; round < rounds; round++) {
    ctx.check();
    results.push(await ctx.inWorker<ProgramsTask, ProgramsResult>('bench-programs', { cpu: CPU_B, repeat }));
    if ((round + 1) % 10 === 0) ctx.progress(`round ${round + 1} of ${rounds}`);
  }
  const about = (program: ProgramName): Parameters => ({
    program,
    repeat,
    runs_per_round: 2,
    absolute_p50_ns: median(results.map((r) => r[program].wallNs)),
    kernel_duration_p50_ns: median(results.map((r) => r[program].kernelNs)),
  });
  const empty: Row = {
    name: 'empty program and test loop',
    unit: 'ns',
    ...summarize(results.map((r) => r.vf_empty.wallNs)),
    parameters: about('vf_empty'),
  };
  const bound = UNDISTURBED * Math.min(...results.map((r) => r.vf_empty.wallNs));
  const undisturbed = results.filter((r) => r.vf_empty.wallNs <= bound);
  const over = (name: string, among: ProgramsResult[]): Row[] =>
    ROWS.map(({ program, over: base = 'vf_empty', name: what, targets }) => {
      const differences = among.map((r) => r[program].wallNs - r[base].wallNs);
      const row: Row = {
        name: `${what}, over ${base === 'vf_empty' ? 'empty' : base}${name}`,
        unit: 'ns',
        ...summarize(differences),
        parameters: about(program),
      };
      return targets.length > 0 ? withTargets(row, ...targets) : row;
    });
  return [empty, ...over('', results), ...over(' (undisturbed)', undisturbed)];
}
