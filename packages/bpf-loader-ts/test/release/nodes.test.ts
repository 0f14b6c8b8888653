import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ROOT, runSuite, testsOfSuite } from './suite.js';

const running = Number(process.versions.node.split('.')[0]);
const others = [20, 22, 24].filter((major) => major !== running);

/** One addon for all of them: it is not built anew. The running Node has the suite as a project of its own. */
it.each(others)('the same addon passes the whole suite on Node %i', async (major) => {
  const node = fileURLToPath(
    new URL(`nodes/node_modules/node${major}-${process.arch}/bin/node`, import.meta.url),
  );
  expect(execFileSync(node, ['--version'], { encoding: 'utf8' })).toMatch(`v${major}.`);
  const expected = await testsOfSuite();
  expect(expected.length).toBeGreaterThan(100);
  expect(await runSuite(node, ROOT)).toEqual({ passed: expected, others: [] });
});
