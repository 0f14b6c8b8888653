import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DETECTORS_MAX } from '../../src/detect/record.js';
import { detectorOf, ROWS } from '../../src/detect/table.js';
import { ROOT } from '../../src/paths.js';
import { CAUSE_NAMES } from '../../src/policy/record.js';

test('there is room for every detector, and none has the name, the key or the cause of another', () => {
  expect(ROWS.length).toBeLessThanOrEqual(DETECTORS_MAX);
  for (const of of [(i: number) => ROWS[i]!.name, (i: number) => ROWS[i]!.key, (i: number) => ROWS[i]!.cause])
    expect(new Set(ROWS.map((_, i) => of(i))).size).toBe(ROWS.length);
});

test('the cause of a detector is none of the policy’s, and fits in a link word', () => {
  for (const { cause, name } of ROWS) {
    expect(CAUSE_NAMES[cause]).toBeUndefined();
    expect(cause).toBeLessThan(256);
    expect(detectorOf(cause)?.name).toBe(name);
  }
  expect(detectorOf(0)).toBeUndefined();
});

/** Native libraries that a process holds once it has imported a built module. */
const loadedBy = (module: string): string[] => {
  const script = `await import(${JSON.stringify(join(ROOT, 'dist', module))});
    console.log(JSON.stringify(process.report.getReport().sharedObjects));`;
  const text = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return (JSON.parse(text) as string[]).filter((path) => path.includes('bpf_loader'));
};

test('who reads the configuration loads no half of a detector, and so no addon', () => {
  expect(loadedBy('src/config/index.js')).toEqual([]);
  expect(loadedBy('src/detect/detectors.js')).not.toEqual([]);
});
