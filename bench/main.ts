#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../src/paths.js';
import { BenchContext, type Group, Interrupted } from './context.js';
import { cpuTimes, environment, stolenSince } from './environment.js';
import { carrier } from './groups/carrier.js';
import { events } from './groups/events.js';
import { flips } from './groups/flips.js';
import { groupFlood } from './groups/group-flood.js';
import { hooks } from './groups/hooks.js';
import { idle } from './groups/idle.js';
import { loader } from './groups/loader.js';
import { openVswitch } from './groups/open-vswitch.js';
import { primitives } from './groups/primitives.js';
import { programs } from './groups/programs.js';
import { sessions } from './groups/sessions.js';
import { manySessions } from './groups/sessions-many.js';
import { calmPairs, pairs } from './groups/sessions-pair.js';
import { silence } from './groups/silence.js';
import { tcp } from './groups/tcp.js';
import { udp } from './groups/udp.js';
import { type BenchOptions, GROUPS, type GroupName, parseOptions, USAGE, UsageError } from './options.js';
import { type Results, table, writeResults } from './report.js';

const RUNNERS: Record<GroupName, readonly Group[]> = {
  a: [programs],
  b: [tcp, udp],
  c: [carrier, openVswitch],
  d: [flips, groupFlood],
  e: [idle, hooks],
  f: [events, primitives],
  g: [loader],
  h: [silence],
  i: [sessions, pairs, calmPairs, manySessions],
};

const RESULTS = join(ROOT, 'bench', 'results', 'latest.json');

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/**
 * `make bench`, `vfailover bench`: measures, prints a table, writes bench/results/latest.json. `argv` is what follows `bench`.
 * Resolves to the exit status: 0 measured (whether or not targets were met), 1 a group failed, 2 usage, 128 + n after signal n.
 */
export async function runBench(argv: string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(argv);
  } catch (e) {
    if (!(e instanceof UsageError)) throw e;
    process.stderr.write(`USAGE: ${e.message}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write(
      'CAPABILITY_MISSING: the benchmarks make network namespaces and load BPF programs\n  fix: run them as root\n',
    );
    return 1;
  }
  return measure(options);
}

async function measure(options: BenchOptions): Promise<number> {
  const ctx = new BenchContext(options, say);
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
    const results: Results = { environment: await environment(options.quick), errors: [], rows: [] };
    const before = cpuTimes();
    say(describe(results));
    for (const group of options.only) await runGroup(ctx, group, results);
    ctx.check();
    results.environment.stolen_during = stolenSince(before);
    say(`\n${table(results.rows)}\n`);
    summary(results);
    for (const file of [RESULTS, options.json]) if (file !== undefined) writeResults(file, results);
    return results.errors.length === 0 ? 0 : 1;
  } catch (e) {
    if (!(e instanceof Interrupted)) throw e;
    say('interrupted: nothing written');
    return status;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await ctx.close();
  }
}

/** A group that fails does not keep the others from running. */
async function runGroup(ctx: BenchContext, group: GroupName, results: Results): Promise<void> {
  for (const run of RUNNERS[group]) {
    const started = performance.now();
    say(`${group}: ${GROUPS[group]} (${run.name})`);
    try {
      results.rows.push(...(await run(ctx)));
    } catch (e) {
      if (e instanceof Interrupted || ctx.signal.aborted) throw new Interrupted();
      const message = e instanceof Error ? (e.stack ?? e.message) : String(e);
      results.errors.push({ group: `${group} ${run.name}`, message });
      process.stderr.write(`${group} ${run.name} failed: ${message}\n`);
    }
    ctx.progress(`${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
}

function describe({ environment: e }: Results): string {
  return [
    `Linux ${e.kernel}, ${e.cpus} × ${e.cpu_model}, Node ${e.node}, libbpf ${e.libbpf}, vfailover ${e.vfailover} (${e.git ?? 'no git'})`,
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
  for (const f of errors) say(`  failed: ${f.group}`);
}

const script = process.argv[1];
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url))
  process.exitCode = await runBench(process.argv.slice(2));
