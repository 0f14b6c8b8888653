import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../src/paths.js';

/** What CONTRIBUTING.md asks of every test, where reading the file can tell. */

const WAITS = 'packages/bpf-loader-ts/test/wait.ts';

const FILES = ['test', 'packages/bpf-loader-ts/test']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((f) => join(folder, f)),
  )
  .filter((f) => f.endsWith('.ts') && !f.includes('node_modules') && !f.endsWith('/habits.test.ts'))
  .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }));

const filesWith = (pattern: RegExp): string[] =>
  FILES.filter(({ text }) => pattern.test(text)).map(({ file }) => file);

/** A timer that ends a promise. Timers that call something are no waits. */
const SLEEP = /timers\/promises|setTimeout\(\s*\w+\s*,[^)]*\)\s*\)/;
const POLL = /\bvi\.(waitFor|waitUntil)\b/;

test('tests wait by until, quietFor and elapse, which stand in one file', () => {
  expect(filesWith(SLEEP)).toEqual([WAITS]);
  expect(filesWith(POLL)).toEqual([]);
});

test.each([
  "import { setTimeout as sleep } from 'node:timers/promises';",
  'await new Promise((resolve) => setTimeout(resolve, 50));',
  'const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms * 2));',
])('a wait of another kind would be found: %s', (line) => {
  expect(line).toMatch(SLEEP);
});

test('tests write below folders of their own, and take these away', () => {
  const folders = filesWith(/\btmpdir\(\)/);
  expect(folders.length).toBeGreaterThan(5);
  const text = (file: string): string => FILES.find((f) => f.file === file)!.text;
  const bare = folders.filter((f) => /(?<!mkdtempSync\(join\()tmpdir\(\)/.test(text(f)));
  const left = folders.filter((f) => !/\brm(dir)?Sync\(/.test(text(f)));
  expect({ bare, left }).toEqual({ bare: [], left: [] });
});
