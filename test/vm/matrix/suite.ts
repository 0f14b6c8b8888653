import { Guest } from '../../../lab/vm/guest.js';
import type { KernelName } from '../../../lab/vm/kernel.js';
import { VfError } from '../../../src/errors.js';
import { plan } from './plan.js';
import { type FileResult, type KernelResult, parseResults } from './results.js';

/** The longest that a file may take, ms: a daemon starts in ten seconds, in a hundred where others use the machine. */
const FILE_MS = 600_000;
/** How much longer tests may wait for something in an emulated guest. */
const SLOWDOWN = 5;
const LOG_BYTES = 4000;

export interface SuiteOptions {
  /** Guests side by side, of all kernels together. */
  guests: number;
  /** The longest that all of it may take, ms. */
  limitMs: number;
  /** These files only. */
  files?: readonly string[];
  onFile?: (kernel: string, result: FileResult) => void;
}

/** A kernel's files that are still to do, and how many guests are at them. */
interface Queue {
  kernel: KernelName;
  todo: ReturnType<typeof plan>;
  guests: number;
  result: KernelResult;
}

/**
 * Runs the kernels' tests in guests, each file in a process of its own. A guest keeps to its kernel until that has no file left, and is
 * followed by one of the kernel with the most. A file that kills its guest, or does not end, fails with the guest's console; the next one
 * gets a new guest.
 */
export async function runKernels(kernels: readonly KernelName[], o: SuiteOptions): Promise<KernelResult[]> {
  const start = performance.now();
  const all = plan();
  const unknown = o.files?.filter((f) => !all.some(({ file }) => file === f)) ?? [];
  if (unknown.length > 0)
    throw new VfError('USAGE', `no test files for guests: ${unknown.join(', ')}`, {
      field: '--files',
      value: unknown,
      fix: 'name files of packages/bpf-loader-ts/test or test/netns that test/vm/matrix/plan.ts does not leave to the host',
    });
  const queues = kernels.map(
    (kernel): Queue => ({
      kernel,
      todo: all.filter(({ file }) => o.files?.includes(file) ?? true),
      guests: 0,
      result: { kernel, release: '', ms: 0, files: [], failure: '' },
    }),
  );
  const next = (): Queue | undefined =>
    queues
      .filter((q) => q.todo.length > 0)
      .sort((a, b) => b.todo.length / (b.guests + 1) - a.todo.length / (a.guests + 1))[0];
  const lane = async (): Promise<void> => {
    for (let queue = next(); queue !== undefined; queue = next()) {
      queue.guests++;
      try {
        await drain(queue, start + o.limitMs, o.onFile);
      } catch (e) {
        // Without a guest, what is left to do is not done, and the kernel fails.
        queue.result.failure = String((e as Error).message ?? e);
        queue.todo = [];
      }
      queue.guests--;
      queue.result.ms = performance.now() - start;
    }
  };
  await Promise.all(Array.from({ length: o.guests }, lane));
  for (const q of queues) q.result.files.sort((a, b) => a.file.localeCompare(b.file));
  return queues.map((q) => q.result);
}

/** One guest after another, until the queue is empty. */
async function drain(queue: Queue, until: number, onFile: SuiteOptions['onFile']): Promise<void> {
  const { kernel, result } = queue;
  let guest: Guest | undefined;
  try {
    for (let next = queue.todo.shift(); next !== undefined; next = queue.todo.shift()) {
      if (!guest) {
        guest = await Guest.boot({ kernel, cpus: 2, memoryMb: 384, project: 'tests' });
        // Its device file comes with the module.
        await guest.run('modprobe tun');
      }
      result.release = guest.kernel.release;
      const ran = await runFile(
        guest,
        next.file,
        next.hostOnly,
        Math.min(FILE_MS, until - performance.now()),
      );
      if (ran.lost) {
        await guest.stop();
        guest = undefined;
      }
      result.files.push(ran.result);
      onFile?.(kernel, ran.result);
    }
  } finally {
    await guest?.stop();
  }
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
