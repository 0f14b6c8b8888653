import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate, parseSpec } from 'bpf-loader-ts';
import { PacketSocket, UdpSocket } from 'bpf-loader-ts/sys';
import { beforeAll, expect, it } from 'vitest';
import { TOOLS, tsc } from './compile.js';
import { type Namespace, namespaceWithVeth, own, pinFolder, tempFolder } from './helpers.js';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const EXAMPLES = join(PACKAGE, 'examples');
const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
/** What Node runs: the examples as they are, where it strips types by itself. */
const EXTENSION = (process.features as { typescript?: string | false }).typescript ? 'ts' : 'js';

const names = readdirSync(EXAMPLES)
  .filter((file) => file.endsWith('.bpf.c'))
  .map((file) => file.replace('.bpf.c', ''));

/** Where a user has copied the examples to, beside an installed package. */
let folder: string;

beforeAll(() => {
  folder = join(tempFolder(), 'examples');
  cpSync(EXAMPLES, folder, {
    recursive: true,
    filter: (from) => from === EXAMPLES || /\.(ts|c)$/.test(from),
  });
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(PACKAGE, join(folder, 'node_modules/bpf-loader-ts'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  // As the README prints it.
  const command = readme.match(/^ {4}(clang .*-mcpu=v3.* -c) EXAMPLE\.bpf\.c -o EXAMPLE\.bpf\.o$/m)![1]!;
  for (const name of names)
    execFileSync('sh', ['-c', `${command} ${name}.bpf.c -o ${name}.bpf.o -Wall -Werror`], {
      cwd: folder,
      ...TOOLS,
    });
  const checked = tsc(['-p', EXAMPLES, '--noEmit', 'false', '--outDir', folder]);
  expect(checked).toEqual({ status: 0, stdout: '' });
}, 120_000);

/** Runs an example in the namespace, with `send` called all the while; what it printed. */
async function run(
  ns: Namespace,
  name: string,
  args: string[] = [],
  send = (): void => {},
): Promise<string[]> {
  const command = [`--net=${ns.path}`, process.execPath, `${name}.${EXTENSION}`, ...args];
  const child = spawn('nsenter', command, { cwd: folder, env: { ...process.env, NODE_NO_WARNINGS: '1' } });
  const said = { stdout: '', stderr: '' };
  for (const to of ['stdout', 'stderr'] as const)
    child[to].setEncoding('utf8').on('data', (text: string) => {
      said[to] += text;
    });
  const timer = setInterval(send, 20);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  expect({ status, stderr: said.stderr }).toEqual({ status: 0, stderr: '' });
  return said.stdout.trimEnd().split('\n');
}

const supported = /^(supported: .* works|(un|in)\w+: .*\(.*this is \d+\..*\))$/;

/** What each prints: a line, or what it looks like. Those of tests of their own have none here. */
const PRINTS: Record<string, { args?: string[]; lines?: (string | RegExp)[] }> = {
  cgroup: {
    lines: ['attached: 1', 'port 7777: EPERM', 'port 7778: ECONNREFUSED', 'refused by the program: 1'],
  },
  errors: {
    lines: [
      /^verifier: BPF_VERIFIER EACCES: load of errors: program careless: .*unbounded memory access/,
      '  the whole log has more than 10 lines',
      'libbpf had something to say',
      /^no such device: BPF_ATTACH ENODEV: attach careful to TCX ingress of device 2147483647: /,
      'wrong value: BPF_ARGUMENT -: table is an array of 3, not an array of 16',
      'no object: BPF_OPEN -: the object file is not an ELF file',
      'closed: BPF_CLOSED -: program careful is closed',
      'left open: 0',
    ],
  },
  first: {},
  inspect: {
    args: ['a'],
    lines: [
      'xdp at_xdp ours',
      'tcx at_tc ours',
      'runs: at least 1000',
      'sched_cls compiled 2 instructions verified',
      'listed with the programs, listed with the links',
    ],
  },
  maps: {
    lines: [
      '10.9.8.7 is in lab',
      'in the lab: 2n elsewhere: undefined',
      'addresses seen: 4',
      'bytes: 256n',
      "zones: [ 'inside', 'lab' ]",
      'left: 0',
    ],
  },
  pins: {},
  probes: {
    args: ['a'],
    lines: ['supported: TCX works', ...Array(6).fill(supported), 'TCX saw 5 frames', 'filters left: 0'],
  },
  queue: {
    lines: ['next: 1', 'jobs taken: 3', 'done: 3', 'done: 1', '2 is known: true - 1 is known: false'],
  },
  redirect: { lines: ['all frames arrived'] },
  ringbuf: {
    lines: [
      'loop: record 0 of 64 bytes',
      'loop: record 1 of 64 bytes',
      'loop: record 2 of 64 bytes',
      'busy: up to record 4',
      // 4096 bytes of records of 16 with 8 of header each.
      'kept 170 dropped 830',
      'worker: 5 records',
    ],
  },
  tailcalls: { lines: ['no policy: 100', 'policy 0: 0', 'policy 1: 2', 'stage gone: 100'] },
  tcx: {
    args: ['a'],
    lines: ['one, three: 13', 'one, two, three: 123', 'refused: ESTALE', 'two, one: 21'],
  },
  testrun: {
    lines: [
      'without a mark: 2',
      'with a mark: 0 - mark 42 - TTL 63 - bytes 64',
      'fast in the mean of a million runs',
    ],
  },
  tracing: { lines: ['started: /bin/true', 'threads ended: some'] },
  variables: {
    lines: [
      'smaller without keep_longest',
      "{ max_len: 100, label: 'strict' } { packets: 2n, too_long: 1n, longest: 600 }",
      'limits is a constant: set it with load({ variables })',
    ],
  },
  workers: { lines: ['program: 100000 threads: 200000'] },
  xdp: {},
};

const matching = (lines: (string | RegExp)[]): unknown[] =>
  lines.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line)));

const up = (): Namespace => {
  const ns = namespaceWithVeth();
  ns.ip('link', 'set', 'dev', 'lo', 'up');
  return ns;
};

it('every example is tested, and the README links each', () => {
  expect(Object.keys(PRINTS).sort()).toEqual([...names].sort());
  for (const name of names) expect(readme).toContain(`(examples/${name}.ts)`);
});

it.each(names)('%s: the checked-in module is that of the program', (name) => {
  // The hash is left to `make check`: another compiler may write other instructions.
  const withoutHash = (text: string): string => text.replace(/sha256: '.*'/, '');
  const made = generate(parseSpec(join(folder, `${name}.bpf.o`)));
  expect(withoutHash(readFileSync(join(EXAMPLES, `${name}.bpf.ts`), 'utf8'))).toBe(withoutHash(made));
});

it.each(Object.entries(PRINTS).filter(([, { lines }]) => lines))('%s runs', async (name, { args, lines }) => {
  expect(await run(up(), name, args)).toEqual(matching(lines!));
});

it('first runs', async () => {
  const ns = up();
  const socket = own(new UdpSocket({ netns: ns.fd, connectAddr: '127.0.0.1', connectPort: 9 }));
  const printed = await run(ns, 'first', [], () => void socket.send(new Uint8Array(1)));
  expect(printed).toEqual(Array(3).fill(expect.stringMatching(/^\d+ packets sent$/)));
  const counts = printed.map((line) => Number.parseInt(line, 10));
  expect(counts[0]).toBeGreaterThan(0);
  expect(counts[2]).toBeGreaterThan(counts[0]!);
});

it('probes runs without TCX, and leaves no qdisc', async () => {
  const ns = up();
  const printed = await run(ns, 'probes', ['a', 'clsact']);
  expect(printed.slice(-2)).toEqual(['clsact saw 5 frames', 'filters left: 0']);
  expect(ns.in(() => execFileSync('tc', ['qdisc', 'show', 'dev', 'a'], { encoding: 'utf8' }))).not.toMatch(
    /clsact/,
  );
});

it.each([
  ['a', 'native'],
  ['lo', 'generic'],
])('xdp runs on %s: %s', async (device, mode) => {
  const ns = up();
  const frame = new Uint8Array(64);
  frame.set([0x88, 0xb5], 12);
  const far = own(new PacketSocket({ netns: ns.fd, ifindex: ns.ifindex('b'), protocol: 0 }));
  expect(await run(ns, 'xdp', [device], () => void far.send(frame))).toEqual([
    `${mode} program is ours: true`,
    'passed frames',
    'dropped frames',
  ]);
});

it('pins runs twice: what the first left, the second adopts', async () => {
  const ns = up();
  const pins = pinFolder();
  expect(await run(ns, 'pins', ['a', pins])).toEqual(['pinned map and link - run me again']);
  expect(await run(ns, 'pins', ['a', pins])).toEqual([
    'adopted after 7n frames',
    'after the exchange 12n frames',
  ]);
  expect(() => readdirSync(pins)).toThrow(/ENOENT/);
});
