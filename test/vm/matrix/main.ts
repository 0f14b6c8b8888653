/** The matrix: boots each kernel, runs the tests for it and prints the results. `--help` tells its options. */
import { writeFileSync } from 'node:fs';
import { VfError } from '../../../src/errors.js';
import { parseOptions, USAGE } from './options.js';
import { fileLines, report } from './report.js';
import { failedOf } from './results.js';
import { runKernels } from './suite.js';

/** Returns the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const { kernels, guests, limitMs, files, json, help } = parseOptions(args);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const results = await runKernels(kernels, {
    guests,
    limitMs,
    ...(files !== undefined && { files }),
    onFile: (k, f) => console.log(fileLines(k, f)),
  });
  console.log(report(results));
  if (json !== undefined) writeFileSync(json, JSON.stringify(results, null, 1));
  return results.some(failedOf) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (e) {
  if (!(e instanceof VfError) || e.code !== 'USAGE') throw e;
  console.error(String(e));
  process.exitCode = 2;
}
