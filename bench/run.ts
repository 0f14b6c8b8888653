import { join } from 'node:path';
import { ROOT } from '../src/paths.js';
import { BenchContext } from './context.js';
import { cpuTimes, type Environment, environment, stolenSince } from './environment.js';
import { PARTS } from './groups.js';
import { KeptRows } from './kept-rows.js';
import { type BenchOptions, GROUPS, type GroupName } from './options.js';
import { type Results, type Row, table, writeResults } from './report.js';
import { Interrupted } from './steps.js';
import { treeState } from './tree.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** The machine as far as it decides on figures. */
export const machineOf = (e: Environment): string =>
  `Linux ${e.kernel}, ${e.cpus} × ${e.cpu_model}, Node ${e.node}`;

/** Measures the groups. Resolves to the exit status: 0 measured, 1 a step failed, 128 + n after signal n. */
export async function run(options: BenchOptions): Promise<number> {
  const env = await environment(options.quick);
  const kept = rowsKept(options, env);
  const ctx = new BenchContext(options, kept, say);
  let status = 0;
  const interrupted = (signal: NodeJS.Signals): void => {
    // The second one does not wait: namespaces end with the process, daemons with it, pins by the reaper.
    if (status !== 0) process.exit(status);
    status = signal === 'SIGINT' ? 130 : 143;
    ctx.interrupt();
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    return await measure(ctx, options, kept, env);
  } catch (e) {
    if (!(e instanceof Interrupted)) throw e;
    say(`interrupted: ${kept.count(options.only).ours} steps are kept, the next run goes on from there`);
    return status;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await ctx.close();
  }
}

/** The rows that an earlier run left behind. Says what becomes of them. */
function rowsKept({ only, results, quick, long, fresh }: BenchOptions, env: Environment): KeptRows {
  const tree = treeState(ROOT) ?? `${env.vfailover}, no git`;
  const kept = new KeptRows(join(results, 'unfinished.jsonl'), {
    tree,
    machine: machineOf(env),
    quick,
    long,
  });
  if (fresh) kept.forget(only);
  const { ours, others } = kept.count(only);
  if (ours > 0) say(`goes on after ${ours} steps of a run that did not end; --fresh begins anew`);
  if (others > 0) say(`leaves ${others} steps aside: of another tree, machine or thoroughness`);
  return kept;
}

async function measure(
  ctx: BenchContext,
  { only, results: folder, json }: BenchOptions,
  kept: KeptRows,
  env: Environment,
): Promise<number> {
  const results: Results = { environment: env, errors: ctx.steps.errors, rows: [] };
  const before = cpuTimes();
  say(describe(env));
  for (const group of only) results.rows.push(...(await runGroup(ctx, group)));
  ctx.check();
  env.stolen_during = stolenSince(before);
  if (ctx.steps.reused > 0) env.notes.push(`${ctx.steps.reused} steps were measured by an earlier run`);
  say(`\n${table(results.rows)}\n`);
  summary(results);
  for (const file of [join(folder, 'latest.json'), json]) if (file !== undefined) writeResults(file, results);
  if (results.errors.length > 0) return 1;
  kept.forget(only);
  return 0;
}

async function runGroup(ctx: BenchContext, group: GroupName): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { run, whole } of PARTS[group]) {
    const started = performance.now();
    say(`${group}: ${GROUPS[group]} (${run.name})`);
    const measure = (): Promise<Row[]> => run(ctx);
    rows.push(
      ...(await ctx.steps.group(group, () => (whole ? ctx.steps.one(run.name, measure) : measure()))),
    );
    ctx.progress(`${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  return rows;
}

function describe(e: Environment): string {
  return [
    `${machineOf(e)}, libbpf ${e.libbpf}, vfailover ${e.vfailover} (${e.git ?? 'no git'})`,
    `before: load ${e.load_average_before[0]!.toFixed(2)}, ${e.busy_before} % busy, ${e.stolen_before} % stolen; ${e.notes.join('; ')}`,
  ].join('\n');
}

function summary({ rows, errors, environment: e }: Results): void {
  const judged = rows.filter((r) => r.ok !== undefined);
  const missed = judged.filter((r) => !r.ok);
  say(
    `targets met: ${judged.length - missed.length} of ${judged.length}${e.quick ? ' (--quick: too few samples to judge by)' : ''}`,
  );
  for (const r of missed) say(`  missed: ${r.name} (${r.target})`);
  for (const f of errors) say(`  failed: ${f.group}: ${f.message.split('\n')[0]}`);
  if (errors.length > 0) say('  the next run measures again what failed');
}
