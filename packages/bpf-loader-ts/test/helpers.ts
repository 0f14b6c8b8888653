import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type BpfObject,
  type LoadOptions,
  lpmKey,
  parseSpec,
  type ReadOnlyView,
  RingBuffer,
} from 'bpf-loader-ts';
import { closeFd, netnsCreate, withNetns } from 'bpf-loader-ts/sys';
import { afterAll, afterEach } from 'vitest';
import { compileBigEndianBpf, compileBpf, compileProgram } from './compile.js';
import { kernelAtLeast, SLOWDOWN } from './kernel.js';

export * from './kernel.js';

/** What a child process or a worker imports: the built package, by URL. */
export const INDEX_URL = new URL('../dist/index.js', import.meta.url).href;
export const SYS_URL = new URL('../dist/sys/index.js', import.meta.url).href;
/** The product's own programs: the largest object at hand. */
export const VFAILOVER_O = fileURLToPath(new URL('../../../bpf/vfailover.bpf.o', import.meta.url));

const undo: (() => void)[] = [];
afterEach(() => {
  for (const fn of undo.splice(0).reverse()) fn();
});

/** Runs after the test, last first. */
export const after = (fn: () => void): void => void undo.push(fn);

export function own<T extends Disposable>(resource: T): T {
  after(() => resource[Symbol.dispose]());
  return resource;
}

let folder: string | undefined;
afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** A folder of this test file's own. */
export function tempFolder(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'bpf-loader-ts-'));
  return folder;
}

/**
 * Where compiled programs stand already: machines without a compiler (the lab's guests) have them in their image, by the same names as in
 * this folder.
 */
const BUILT = process.env.BPF_LOADER_TEST_PROGRAMS;

/** A program of this folder, compiled once per test file. */
function built(source: string, out: string, make: (source: string, out: string) => void): string {
  if (BUILT !== undefined) return join(BUILT, out);
  const path = join(tempFolder(), basename(out));
  if (!existsSync(path)) make(fileURLToPath(new URL(source, import.meta.url)), path);
  return path;
}

/** test/bpf/NAME.bpf.c, compiled. */
export const compile = (name: string): string =>
  built(`bpf/${name}.bpf.c`, `bpf/${name}.bpf.o`, (source, out) => compileBpf(source, out));

/** test/bpf/basic.bpf.c for a machine of the other byte order. */
export const compileBigEndian = (): string =>
  built('bpf/basic.bpf.c', 'bpf/big-endian.bpf.o', compileBigEndianBpf);

/** test/NAME.c, compiled to a program. */
export const compileC = (name: 'victim' | 'xsk'): string => built(`${name}.c`, name, compileProgram);

/** test/bpf/basic.bpf.c, loaded; closed after the test. */
export const basic = (options: LoadOptions = {}): BpfObject => own(parseSpec(compile('basic')).load(options));

/** test/bpf/attach.bpf.c with only these programs loaded; those of tracing count what this process does. Closed after the test. */
export function attachObject(names: readonly string[], options: LoadOptions = {}): BpfObject {
  const spec = parseSpec(compile('attach'));
  const skip = spec.programs.map((p) => p.name).filter((name) => !names.includes(name));
  return own(
    spec.load({
      skip,
      ...options,
      variables: { pid: process.pid, raw_cookies: kernelAtLeast('6.10') ? 1 : 0, ...options.variables },
    }),
  );
}

/** test/bpf/maps.bpf.c, loaded; closed after the test. */
export const mapsObject = (options: LoadOptions = {}): BpfObject =>
  own(parseSpec(compile('maps')).load(options));

/** test/bpf/ring.bpf.c, loaded, with a consumer that knows where the program counts what it drops; closed after the test. */
export function ringObject(): {
  object: BpfObject;
  ring: RingBuffer;
  bss: ReadOnlyView;
  emit: (n: number) => void;
} {
  const object = own(parseSpec(compile('ring')).load());
  const memory = own(object.map('.bss').mmap({ writable: false }));
  const ring = own(new RingBuffer(object.map('events'), { dropped: object.variable('dropped') }));
  const program = object.program('emit');
  return {
    object,
    ring,
    bss: memory.reader(),
    emit: (n) => void program.testRun({ data: FRAME, repeat: n }),
  };
}

/** Packed u32s and u64s, as a batch has them. */
export const u32s = (numbers: Iterable<number>): Uint8Array =>
  new Uint8Array(Uint32Array.from(numbers).buffer);
export const u64s = (numbers: Iterable<number>): Uint8Array =>
  new Uint8Array(BigUint64Array.from([...numbers], BigInt).buffer);

/** Packed keys of an lpm_trie for n different prefixes of IPv4, and numbers for them. */
export function lpmEntries(n: number): { keys: Uint8Array; prefixes: number[] } {
  const prefixes = Array.from({ length: n }, (_, i) => i);
  const keys = prefixes.map((i) => lpmKey(24, Uint8Array.of(10, i >> 8, i & 255, 0)));
  return { keys: new Uint8Array(keys.flatMap((k) => [...k])), prefixes };
}

/** A frame for test runs. */
export const FRAME = new Uint8Array(64);

export const u32 = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer);

const BPF_FS = '/sys/fs/bpf';
const PREFIX = 'bpf-loader-ts-test-';

/** A pin folder of this process's own. Those of processes that died before they could tidy up go too. */
export function pinFolder(): string {
  for (const name of readdirSync(BPF_FS)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : Number.NaN;
    if (pid > 0 && !existsSync(`/proc/${pid}`)) rmSync(join(BPF_FS, name), { recursive: true, force: true });
  }
  const path = join(BPF_FS, `${PREFIX}${process.pid}-${Math.random().toString(36).slice(2)}`);
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Namespace {
  fd: number;
  /** Runs `ip` inside. */
  ip(...args: string[]): string;
  ifindex(name: string): number;
  in<T>(fn: () => T): T;
  /** A path by which another process can enter. */
  path: string;
}

/** An anonymous network namespace with the veth pair a-b, both up; gone with the process or the test. */
export function namespaceWithVeth(): Namespace {
  const fd = netnsCreate();
  after(() => closeFd(fd));
  const path = `/proc/${process.pid}/fd/${fd}`;
  const ip = (...args: string[]): string =>
    execFileSync('nsenter', [`--net=${path}`, 'ip', ...args], { encoding: 'utf8' });
  ip('link', 'add', 'name', 'a', 'up', 'type', 'veth', 'peer', 'name', 'b');
  ip('link', 'set', 'dev', 'b', 'up');
  return {
    fd,
    ip,
    path,
    ifindex: (name) =>
      (JSON.parse(ip('-j', 'link', 'show', 'dev', name)) as { ifindex: number }[])[0]!.ifindex,
    in: (fn) => withNetns(fd, fn),
  };
}

/** Runs an ES module in a Node process of its own, through `via` (`nsenter …`, `setpriv …`) if given. */
export function node(
  script: string,
  via: string[] = [],
): { status: number | null; signal: string | null; stdout: string; stderr: string } {
  const [command, ...args] = [...via, process.execPath, '--input-type=module', '-e', script];
  const run = spawnSync(command!, args, {
    encoding: 'utf8',
    timeout: 60_000 * SLOWDOWN,
    maxBuffer: 64 << 20,
    cwd: '/',
  });
  return { status: run.status, signal: run.signal, stdout: run.stdout, stderr: run.stderr };
}

/** A matcher of a BpfError by code and, if given, errno. */
export const bpfError = (code: string, errno?: string): object =>
  errno === undefined ? { name: 'BpfError', code } : { name: 'BpfError', code, errno };
