import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { VFAILOVER_O } from '../helpers.js';
import { ROOT, runSuite, testsOfSuite } from './suite.js';

/** What `make` builds: its copy of the package has the sanitized addon for its own, so that nobody needs to be told about it. */
const TREE = join(ROOT, 'build/sanitized');
const LOADER = 'packages/bpf-loader-ts';
const ADDON = join(TREE, LOADER, `prebuilds/linux-${process.arch}/bpf_loader.node`);
const NOTED = join(TREE, 'addons-noted');
const REPORTS = join(TREE, 'reports');

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Node is not built with it, so it has to be there before anything else. */
const LD_PRELOAD = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
/** V8 handles SIGSEGV itself. Faults abort; leaks, of which Node has many of its own, are reported only. */
const ASAN_OPTIONS = 'handle_segv=0:abort_on_error=1:detect_stack_use_after_return=1';
const UBSAN_OPTIONS = 'abort_on_error=1:print_stacktrace=1';
/** Its tracer now and then dies of threads that end as it looks for their dynamic storage: without that, it does not. */
const LSAN_OPTIONS = 'exitcode=0:use_tls=0';

beforeAll(() => {
  const parts = ['package.json', 'README.md', 'dist', 'docs', 'examples', 'src', 'test'].map((part) =>
    join(LOADER, part),
  );
  for (const part of ['vitest.config.ts', 'test/helpers', 'bpf', join('dist', LOADER), ...parts]) {
    rmSync(join(TREE, part), { recursive: true, force: true });
    const filter = (from: string): boolean => !from.includes('node_modules');
    cpSync(join(ROOT, part), join(TREE, part), { recursive: true, filter });
  }
  // The tree lies inside the repository, whose node_modules has everything else.
  rmSync(join(TREE, 'node_modules'), { recursive: true, force: true });
  mkdirSync(join(TREE, 'node_modules'));
  symlinkSync(join('..', LOADER), join(TREE, 'node_modules/bpf-loader-ts'));
});

it('are in all of the addon', () => {
  const symbols = execFileSync('nm', ['--dynamic', '--undefined-only', ADDON], { encoding: 'utf8' });
  expect(symbols).toMatch(/__asan_report_load8\n/);
  expect(symbols).toMatch(/__ubsan_handle_\w+_abort\n/);
});

it('end the process at the first fault: libbpf trusts the files that it is given', () => {
  const args = [here('damaged-files.mjs'), join(TREE, LOADER, 'dist/binding.js'), VFAILOVER_O];
  const env = { ...process.env, LD_PRELOAD, UBSAN_OPTIONS, ASAN_OPTIONS: `${ASAN_OPTIONS}:detect_leaks=0` };
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  expect(run.stderr).toMatch(/AddressSanitizer|runtime error/);
  expect(run.stderr).toMatch(/deps\/(libbpf|elfutils|zlib)\//);
  expect(run).toMatchObject({ signal: 'SIGABRT', stdout: '' });
});

/** Leaks in a report of LeakSanitizer whose memory was allocated by the addon (`#1`; `#0` is malloc), unloaded by now or not. */
const ourLeaks = (report: string): string[] =>
  report
    .split('\n\n')
    .filter((part) => /leak of/.test(part) && /^ +#1 .*(bpf_loader\.node|<unknown module>)/m.test(part));

it('find no fault and no leak in the whole suite, which used no other addon', async () => {
  // Open to all: some tests have a process of another user.
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS);
  chmodSync(REPORTS, 0o777);
  writeFileSync(NOTED, '');
  chmodSync(NOTED, 0o666);
  const expected = await testsOfSuite();
  const outcome = await runSuite(process.execPath, TREE, {
    LD_PRELOAD,
    // Addresses instead of names: vitest gives its workers half a second to end.
    ASAN_OPTIONS: `${ASAN_OPTIONS}:symbolize=0:log_path=${REPORTS}/report`,
    UBSAN_OPTIONS,
    LSAN_OPTIONS,
    ADDONS_NOTED: NOTED,
    NODE_OPTIONS: `--import=${here('note-addons.mjs')}`,
  });
  const reports = new Map(
    readdirSync(REPORTS).map((name) => [name.split('.').at(-1)!, readFileSync(join(REPORTS, name), 'utf8')]),
  );
  const faults = [...reports.values()].filter((r) => /ERROR: AddressSanitizer|runtime error/.test(r));
  expect(faults).toEqual([]);
  expect(outcome).toEqual({ passed: expected, others: [] });

  const loaded = readFileSync(NOTED, 'utf8')
    .split('\n')
    .map((line) => line.split(' ') as [string, string])
    .filter(([, path]) => path?.startsWith(ROOT) && path.endsWith('/bpf_loader.node'));
  expect(new Set(loaded.map(([, path]) => path))).toEqual(new Set([ADDON]));
  const processes = new Set(loaded.map(([pid]) => pid));
  expect(processes.size).toBeGreaterThan(15);
  expect([...processes].flatMap((pid) => ourLeaks(reports.get(pid) ?? ''))).toEqual([]);
});
