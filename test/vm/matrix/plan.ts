import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { VfError } from '../../../src/errors.js';
import { ROOT } from '../../../src/paths.js';

/** Folders whose test files are for kernels. */
const FOLDERS = ['packages/bpf-loader-ts/test', 'test/netns'];

const USER_SPACE =
  'decided in user space, the same on every kernel; a daemon takes ten seconds to start in a guest';

const SAME_PROGRAM =
  'another way through a program that each kernel has verified whole: some of them are enough';
const WINDOW = 'what belongs together has to come within 117 ms, which emulation does not keep';
const JAVASCRIPT = 'asks no kernel, or the same of each: JavaScript that is slow under emulation';

/** What stays on the host, a file or one test of it (with `*` all that begin so), and why. */
export const HOST_ONLY: Record<string, string | Record<string, string>> = {
  'packages/bpf-loader-ts/test/binding.test.ts': 'copies of the package: asks no kernel',
  'packages/bpf-loader-ts/test/bpf2ts.test.ts': 'needs clang and tsc; the generator asks no kernel',
  'packages/bpf-loader-ts/test/btf.test.ts': {
    'every structure is as bpftool tells it > of the running kernel, up to 512 bytes; codecs agree or name what has no value':
      'a minute of comparing under emulation; that each kernel’s are read is seen in the others',
    'every structure is as bpftool tells it > of vfailover': 'needs llvm-objcopy; asks no kernel',
    'every structure is as bpftool tells it > of basic': 'needs llvm-objcopy; asks no kernel',
    'damaged type information > random mutations neither hang nor crash the parser':
      'needs llvm-objcopy; asks no kernel',
    'damaged type information > of the other byte order it says so': 'needs llvm-objcopy; asks no kernel',
  },
  'packages/bpf-loader-ts/test/codec.test.ts': 'pure: asks no kernel',
  'packages/bpf-loader-ts/test/examples.test.ts':
    'needs clang and tsc: each example is built as its reader would',
  'test/netns/extending-models.test.ts': 'needs docs/ and tsc: the sample is built as its reader would',
  'packages/bpf-loader-ts/test/fuzz.test.ts':
    'twenty seconds of the host are minutes under emulation; asks no kernel',
  'packages/bpf-loader-ts/test/leaks.test.ts': JAVASCRIPT,
  'packages/bpf-loader-ts/test/libbpf-messages.test.ts': {
    'what libbpf says > threads that load at the same time hear their own, and end while they listen':
      JAVASCRIPT,
  },
  'packages/bpf-loader-ts/test/lock.test.ts': JAVASCRIPT,
  'packages/bpf-loader-ts/test/map-batch.test.ts': {
    'growing > a poller that reuses its batch allocates next to nothing': JAVASCRIPT,
    'growing > room for all is found, and kept': JAVASCRIPT,
  },
  'packages/bpf-loader-ts/test/memlock.test.ts': {
    'it is measured in a process of its own, whose end nobody else waits for': JAVASCRIPT,
  },
  'packages/bpf-loader-ts/test/mmap.test.ts': {
    'mappings may be transferred, dropped and collected in any order': JAVASCRIPT,
  },
  'packages/bpf-loader-ts/test/native.test.ts': JAVASCRIPT,
  'packages/bpf-loader-ts/test/object.test.ts': {
    'threads and the process may end with everything open': JAVASCRIPT,
    'a program that the verifier refuses > worker threads that load at the same time each get their own log':
      'eighteen logs of a long way through the verifier are minutes under emulation',
    'opening > mutated and truncated files give an error and never a crash':
      'hundreds of files are minutes under emulation; asks no kernel',
  },
  'packages/bpf-loader-ts/test/ringbuf-records.test.ts': {
    'records on the event loop > other work of the loop gets its turn under load': JAVASCRIPT,
    'misuse > keeps the process alive while it waits, and not longer': JAVASCRIPT,
  },
  'packages/bpf-loader-ts/test/ringbuf-wait.test.ts': {
    'wait() > the process ends while a worker is blocked': JAVASCRIPT,
    'wait() > a worker that is *': JAVASCRIPT,
    'wait() > gets every record to a blocked worker soon, and a wake-up ends it':
      'judges microseconds by the clock',
  },
  'packages/bpf-loader-ts/test/ringbuf.test.ts': {
    'records > positions pass 4 GiB': JAVASCRIPT,
    'waiting > a worker thread takes what this one makes (busy)': JAVASCRIPT,
  },
  'packages/bpf-loader-ts/test/sys.test.ts': {
    'epoll > is woken by another thread': JAVASCRIPT,
    'watchFd > *': JAVASCRIPT,
  },
  'packages/bpf-loader-ts/test/readme.test.ts': 'reads documents',
  'test/netns/bfd-programs.test.ts': {
    'a packet of our session, over IPv6, > *': SAME_PROGRAM,
    'a packet of our session, over IPv4, > with an*': SAME_PROGRAM,
    'a packet of our session, over IPv4, > with a *': SAME_PROGRAM,
    'the deadline > only wakes the worker when *': SAME_PROGRAM,
  },
  'test/netns/bfd-echo.test.ts': { 'over IPv6 > *': SAME_PROGRAM },
  'test/netns/bfd-reflector.test.ts': { 'over IPv6 > *': SAME_PROGRAM },
  'test/netns/bfd.test.ts': 'fetches FRR; sessions are decided in user space, the same on every kernel',
  'test/netns/bfd-daemon.test.ts': 'fetches FRR; what the programs do is tested in bfd-programs',
  'test/netns/bfd-echo-daemon.test.ts': 'fetches FRR; what the programs do is tested in bfd-echo',
  'test/netns/bfd-bird.test.ts': 'fetches BIRD; sessions are decided in user space, the same on every kernel',
  'test/netns/open-vswitch.test.ts': 'fetches Open vSwitch, whose kernel is the host’s',
  'test/netns/bfd-auth.test.ts': USER_SPACE,
  'test/netns/sbfd-daemon.test.ts':
    'two daemons; what the programs do is tested in bfd-reflector and bfd-echo',
  'test/netns/datapath.test.ts': { 'tier 0 on tap > *': SAME_PROGRAM },
  'test/netns/groups.test.ts': {
    'identical frames in succession > *': WINDOW,
    'group frames, transparent > come in once *': WINDOW,
    'group frames, net-failover > come in once *': WINDOW,
    'what makes two frames one > any byte *': WINDOW,
  },
  'test/netns/groups-concurrent.test.ts': WINDOW,
  'test/netns/daemon.test.ts':
    'a guest has real devices for the daemon: test/vm/agent.test.ts, on each kernel',
  'test/netns/unanswered.test.ts':
    'the daemon again; which frame asks and which answers is tested in asks, a black hole in test/vm/agent.test.ts',
  'test/netns/link-failures.test.ts': USER_SPACE,
  'test/netns/carrier-combined.test.ts': USER_SPACE,
  'test/netns/policy.test.ts': USER_SPACE,
  'test/netns/probes.test.ts':
    'decided in user space; what the programs do is tested in probe-answers and probe-deadline',
  'test/netns/wire-taps.test.ts': "the lab's own wire, which is the host's",
  'test/netns/witness.test.ts': {
    'frames to 33:33:00:00:00:01 > *': SAME_PROGRAM,
    'frames to 01:00:5e:00:00:01 > *': SAME_PROGRAM,
    'a slave that is not watched may miss what it likes, and shows what the other one misses': USER_SPACE,
    'what the master itself sent, and what a device may filter, says nothing': USER_SPACE,
    'silence everywhere is nobody’s fault': USER_SPACE,
  },
  'test/netns/rejoin.test.ts': 'reports are made in user space, the same on every kernel',
  'test/netns/demo.test.ts': 'judges outages by the clock; guests are judged by test/vm',
  'packages/bpf-loader-ts/test/verifier.test.ts': {
    'too_long: the program, and the line that says why':
      'the log of a million instructions needs more memory than guests have',
  },
  'packages/bpf-loader-ts/test/release': 'needs npm, other Nodes and a sanitized addon',
};

/** Tests that the short form runs: what differs most between kernels. */
export const ESSENTIAL = ['probe', 'clsact'].map((name) => `packages/bpf-loader-ts/test/${name}.test.ts`);

/** Every test file for guests, and within them the tests that are not. A name of the list that is none is an error: lists go stale. */
export function plan(): { file: string; hostOnly: string[] }[] {
  const found = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((f) => f.endsWith('.test.ts') || f === 'release')
      .map((f) => `${folder}/${f}`),
  );
  const stale = Object.keys(HOST_ONLY).filter((name) => !found.includes(name));
  if (stale.length > 0)
    throw new VfError(
      'INTERNAL',
      `the host's tests are listed with files that do not exist: ${stale.join(', ')}`,
      {
        fix: 'correct HOST_ONLY in test/vm/matrix/plan.ts',
      },
    );
  return found
    .filter((file) => typeof HOST_ONLY[file] !== 'string')
    .map((file) => ({ file, hostOnly: Object.keys(HOST_ONLY[file] ?? {}) }));
}
