import { VfError } from '../../../src/errors.js';
import { Guest } from '../lab/guest.js';
import type { KernelName } from '../lab/kernel.js';
import { plan } from './plan.js';
import { type FileResult, type KernelResult, parseResults } from './results.js';

/** The longest that a file may take, ms. */
const FILE_MS = 300_000;
/** How much longer tests may wait for something in an emulated guest. */
const SLOWDOWN = 10;
const LOG_BYTES = 4000;

export interface SuiteOptions {
  /** Guests side by side. */
  lanes: number;
  /** The longest that all files may take, ms. */
  limitMs: number;
  /** These files only. */
  files?: readonly string[];
  onFile?: (kernel: string, result: FileResult) => void;
}

/**
 * Runs the kernel's tests in guests, each file in a process of its own. A file that kills its guest, or does not end, fails with the guest's
 * console; the next one gets a new guest.
 */
export async function runKernel(kernel: KernelName, o: SuiteOptions): Promise<KernelResult> {
  const start = performance.now();
  const result: KernelResult = { kernel, release: '', ms: 0, files: [], failure: '' };
  const todo = plan().filter(({ file }) => o.files?.includes(file) ?? true);
  const unknown = o.files?.filter((f) => !todo.some(({ file }) => file === f)) ?? [];
  if (unknown.length > 0) throw new VfError('USAGE', `no test files for guests: ${unknown.join(', ')}`);
  const lane = async (): Promise<void> => {
    let guest: Guest | undefined;
    try {
      for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
        if (!guest) {
          guest = await Guest.boot({ kernel, cpus: 2, memoryMb: 384, project: 'tests' });
          // Its device file comes with the module.
          await guest.run('modprobe tun');
        }
        result.release = guest.kernel.release;
        const left = start + o.limitMs - performance.now();
        const ran = await runFile(guest, next.file, next.hostOnly, Math.min(FILE_MS, left));
        if (ran.lost) {
          await guest.stop();
          guest = undefined;
        }
        result.files.push(ran.result);
        o.onFile?.(kernel, ran.result);
      }
    } finally {
      await guest?.stop();
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: o.lanes }, lane));
  const failed = ended.find((e) => e.status === 'rejected');
  // Without a guest, what is left to do was not done, and the kernel fails.
  if (failed) result.failure = String((failed.reason as Error).message ?? failed.reason);
  result.files.sort((a, b) => a.file.localeCompare(b.file));
  result.ms = performance.now() - start;
  return result;
}

async function runFile(
  guest: Guest,
  file: string,
  hostOnly: readonly string[],
  timeoutMs: number,
): Promise<{ result: FileResult; lost: boolean }> {
  const start = performance.now();
  const result = (tests: FileResult['tests'], failure: string): FileResult => ({
    file,
    ms: Math.round(performance.now() - start),
    tests,
    failure,
  });
  if (timeoutMs <= 0) return { result: result([], `not begun: the time for all files is over`), lost: false };
  const quoted = [`/project/${file.replace(/ts$/, 'js')}`, '/tmp/results', ...hostOnly].map(
    (w) => `'${w.replaceAll("'", "'\\''")}'`,
  );
  const command = `cd /project && export NO_COLOR=1 TEST_SLOWDOWN=${SLOWDOWN} \
    BPF_LOADER_TEST_PROGRAMS=/project/packages/bpf-loader-ts/test && rm -f /tmp/results
    node test/vm/matrix/run.js ${quoted.join(' ')} >/tmp/log 2>&1; status=$?
    tail -c ${LOG_BYTES} /tmp/log >&2; cat /tmp/results; rm -f /tmp/log; exit $status`;
  try {
    const { code, stdout, stderr } = await guest.exec(command, { timeoutMs });
    const { tests, ended, why } = parseResults(stdout);
    const died = ended ? '' : `its process ended with status ${code} after ${tests.length} tests\n${stderr}`;
    return { result: result(tests, [why, died].filter(Boolean).join('\n')), lost: false };
  } catch (e) {
    if (!(e instanceof VfError)) throw e;
    // What ended before it hung, if the guest can still tell.
    const before = await guest.readFile('/tmp/results').catch(() => '');
    const { tests } = parseResults(before.toString());
    return { result: result(tests, `after ${tests.length} tests: ${e.message}`), lost: true };
  }
}
