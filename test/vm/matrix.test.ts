import { expect, test } from 'vitest';
import { ESSENTIAL } from './matrix/plan.js';
import { report } from './matrix/report.js';
import { failedOf } from './matrix/results.js';
import { runKernels } from './matrix/suite.js';

/** The short form of `make vm-test`. */
test('the loader, where kernels differ most, on Linux 6.12', async () => {
  const [result] = await runKernels(['6.12'], { guests: 1, limitMs: 600_000, files: ESSENTIAL });
  console.log(report([result!]));
  expect(failedOf(result!), 'see the report above').toBe(false);
  expect(result!.files.map((f) => f.file)).toEqual([...ESSENTIAL].sort());
});
