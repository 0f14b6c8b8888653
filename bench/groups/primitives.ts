import type { PrimitivesResult, PrimitivesTask } from '../../workers/bench-primitives.js';
import { type BenchContext, CPU_B } from '../context.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

/** Nanoseconds at most. */
const TARGETS: { readonly [name: string]: number } = {
  'counter read (u64 as two words)': 2,
  'flip (compareExchange alone)': 12,
};

/**
 * What the decision loop is made of, nanoseconds per operation. Method: a worker thread on one CPU runs each primitive in a loop of its own
 * (5,000,000 operations; a tenth for N-API calls, a hundredth for system calls), round after round; the loop is part of the figure.
 * Memory is a map's of 64 lines of 64 bytes, read line after line: it stays in the first cache. Each loop's sum is checked.
 */
export async function primitives(ctx: BenchContext): Promise<Row[]> {
  const task: PrimitivesTask = { cpu: CPU_B, ops: ctx.scale(5_000_000, 500_000), rounds: ctx.scale(21, 5) };
  const result = await ctx.inWorker<PrimitivesTask, PrimitivesResult>('bench-primitives', task);
  return Object.entries(result).map(([name, ns]) => {
    const parameters = { rounds: task.rounds, operations: task.ops, cpu: task.cpu };
    const row: Row = { name, unit: 'ns', ...summarize(ns), parameters };
    const atMost = TARGETS[name];
    return atMost === undefined ? row : withTargets(row, { of: 'p50', atMost });
  });
}
