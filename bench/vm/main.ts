#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../../src/paths.js';
import { cpuTimes, environment, stolenSince } from '../environment.js';
import { table, writeResults } from '../report.js';
import { Bench } from './bench.js';
import { type Options, parseOptions, USAGE } from './options.js';
import { peersDocument, rowsOf } from './peers.js';
import { TrialStore } from './store.js';

const TRIALS = join(ROOT, 'bench/results/vm-trials.jsonl');
const RESULTS = join(ROOT, 'bench/results/vm.json');
const DOCUMENT = join(ROOT, 'docs/peers.md');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(argv: string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(argv);
  } catch (e) {
    process.stderr.write(`USAGE: ${(e as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const store = new TrialStore(TRIALS, options.fresh);
  const env = await environment(false);
  const before = cpuTimes();
  const bench = new Bench(options, store, env.git);
  const interrupted = (signal: NodeJS.Signals): void => {
    if (bench.stopped) process.exit(signal === 'SIGINT' ? 130 : 143);
    say('interrupted: ends after this trial; the next run goes on from here');
    bench.interrupt();
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  if (!options.tableOnly) await bench.run();
  env.stolen_during = stolenSince(before);
  const rows = rowsOf(store.records);
  if (rows.length === 0) return 1;
  say(`\n${table(rows)}\n`);
  writeResults(RESULTS, { environment: env, errors: bench.errors, rows });
  peersDocument(DOCUMENT, store.records, env);
  return bench.errors.length === 0 && !bench.stopped ? 0 : 1;
}

const script = process.argv[1];
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
