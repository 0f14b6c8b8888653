/**
 * The matrix: main.js [--kernels 6.1,6.12,7] [--files PATH,…] [--guests N side by side] [--limit SECONDS] [--json FILE]
 *
 * Boots each kernel, runs the tests for it and prints what became of them. Ends with 1 if anything failed.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { KERNELS, type KernelName } from '../../../lab/vm/kernel.js';
import { VfError } from '../../../src/errors.js';
import { fileLines, report } from './report.js';
import { failedOf, type KernelResult } from './results.js';
import { runKernels } from './suite.js';

const { values } = parseArgs({
  options: {
    kernels: { type: 'string', default: Object.keys(KERNELS).join(',') },
    files: { type: 'string' },
    guests: { type: 'string', default: String(availableParallelism()) },
    limit: { type: 'string', default: '1800' },
    json: { type: 'string' },
  },
});
const kernels = values.kernels.split(',');
const unknown = kernels.filter((k) => !(k in KERNELS));
if (unknown.length > 0)
  throw new VfError('USAGE', `no kernel ${unknown.join(', ')}`, {
    field: '--kernels',
    value: values.kernels,
    fix: `choose of ${Object.keys(KERNELS).join(', ')}`,
  });

const results: KernelResult[] = await runKernels(kernels as KernelName[], {
  guests: Number(values.guests),
  limitMs: Number(values.limit) * 1000,
  ...(values.files !== undefined && { files: values.files.split(',') }),
  onFile: (k, f) => console.log(fileLines(k, f)),
});
console.log(report(results));
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));
process.exitCode = results.some(failedOf) ? 1 : 0;
