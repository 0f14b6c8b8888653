/**
 * Runs one test file in a guest: node run.js FILE RESULTS [NAME of a test that is not for guests]…
 *
 * RESULTS gets a line of JSON as each test ends, so that a process that dies has told what came before, and one of the file itself.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { startTests, type Task, type Test, type VitestRunner } from '@vitest/runner';
import { SLOWDOWN } from '../../../packages/bpf-loader-ts/test/kernel.js';
import type { Line } from './results.js';

const [file, results, ...hostOnly] = process.argv.slice(2) as [string, string, ...string[]];
const TIMEOUT_MS = (file.includes('/netns/') ? 60_000 : 20_000) * SLOWDOWN;

const nameOf = (task: Task): string =>
  task.suite && task.suite !== (task.file as Task) ? `${nameOf(task.suite)} > ${task.name}` : task.name;
const textOf = (errors: readonly { message?: string; stack?: string; diff?: string }[] | undefined): string =>
  (errors ?? [])
    // The stack of a test that ran out of time does not say so.
    .map((e) =>
      [e.stack?.includes(e.message ?? '') ? '' : e.message, e.stack, e.diff].filter(Boolean).join('\n'),
    )
    .join('\n');
const tell = (line: Line): void => appendFileSync(results, `${JSON.stringify(line)}\n`);
const testsOf = (task: Task): Test[] => (task.type === 'suite' ? task.tasks.flatMap(testsOf) : [task]);

/** A name of the list, or all that begin with one that ends in `*`. */
const isOf = (name: string, listed: string): boolean =>
  listed.endsWith('*') ? name.startsWith(listed.slice(0, -1)) : name === listed;

const told = new Set<Test>();
const excluded = new Set<Test>();
function report(test: Test): void {
  if (told.has(test)) return;
  told.add(test);
  // `note` is missing from the runner's types.
  const { state, errors, duration, note } = (test.result ?? {}) as Partial<
    NonNullable<Test['result']> & { note: string }
  >;
  const base = { name: nameOf(test), ms: Math.round(duration ?? 0) };
  if (excluded.has(test)) tell({ ...base, state: 'host' });
  else if (state === 'pass') tell({ ...base, state: 'passed' });
  else if (state === 'fail') tell({ ...base, state: 'failed', why: textOf(errors) });
  else if (note) tell({ ...base, state: 'unsupported', why: note });
  else tell({ ...base, state: 'failed', why: 'it did not run, and says no reason' });
}

const runner: VitestRunner = {
  config: {
    root: '/project',
    setupFiles: [],
    name: undefined,
    passWithNoTests: false,
    testNamePattern: undefined,
    allowOnly: false,
    sequence: { seed: 1, hooks: 'stack', setupFiles: 'list' },
    chaiConfig: undefined,
    maxConcurrency: 1,
    testTimeout: TIMEOUT_MS,
    hookTimeout: TIMEOUT_MS,
    retry: 0,
    includeTaskLocation: false,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  },
  importFile: (path) => import(pathToFileURL(path).href),
  onCollected: ([collected]) => {
    const tests = collected!.tasks.flatMap(testsOf);
    for (const test of tests)
      if (hostOnly.some((listed) => isOf(nameOf(test), listed))) {
        excluded.add(test);
        test.mode = 'skip';
      }
    const missing = hostOnly.filter((listed) => !tests.some((t) => isOf(nameOf(t), listed)));
    if (missing.length > 0)
      throw new Error(`the list of the host's tests names some that are none: ${missing}`);
  },
  onAfterRunTask: report,
};

// Errors that nobody waits for fail the file; what a test does about them itself (a listener of its own) comes first.
const stray: unknown[] = [];
process.on('unhandledRejection', (e) => stray.push(e));

writeFileSync(results, '');
let why = '';
try {
  const [ran] = await startTests([file], runner);
  const tests = ran!.tasks.flatMap(testsOf);
  tests.forEach(report);
  const suites = (t: Task): Task[] => (t.type === 'suite' ? [t, ...t.tasks.flatMap(suites)] : []);
  why = suites(ran!)
    .map((s) => textOf(s.result?.errors))
    .filter(Boolean)
    .join('\n');
} catch (e) {
  why = String((e as Error).stack ?? e);
}
if (stray.length > 0) why += `\nunhandled: ${stray.map((e) => (e as Error)?.stack ?? String(e)).join('\n')}`;
tell({ state: 'end', why });
// What a test forgot to close must not keep the guest waiting.
process.exit(0);
