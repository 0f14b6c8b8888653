#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compare } from './against.js';
import { type BenchOptions, parseOptions, USAGE, UsageError } from './options.js';
import { run } from './run.js';

/**
 * `make bench`, `vfailover bench`: measures, prints a table, writes bench/results/latest.json. `argv` is what follows `bench`.
 * Resolves to the exit status: 0 measured (whether or not targets were met), 1 a part failed, 2 usage, 128 + n after signal n.
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
  return options.against === undefined ? run(options) : compare(options.against, options);
}

const script = process.argv[1];
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url))
  process.exitCode = await runBench(process.argv.slice(2));
