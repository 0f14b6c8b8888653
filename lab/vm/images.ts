import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  compileBigEndianBpf,
  compileBpf,
  compileProgram,
} from '../../packages/bpf-loader-ts/test/compile.js';
import { ROOT } from '../../src/paths.js';
import { Reaper } from '../netns/reaper.js';
import { CACHE } from './cache.js';
import type { Kernel } from './kernel.js';
import { librariesOf, runTool, tool, tools } from './tools.js';

const run = promisify(execFile);
const GUEST = join(ROOT, 'lab/vm/guest');
/** Programs of the guest that we write: lab/vm/guest/NAME.c. */
const NATIVE = ['agent', 'stream', 'ask'];

/** A version of a file that nobody used for so long is removed, ms. */
const STALE_MS = 3_600_000;

/** Makes a file of the cache once per key: a change of what goes in makes another. */
function cachedFile(
  name: string,
  key: string,
  make: (work: string, to: string) => Promise<void>,
): Promise<string> {
  const file = join(CACHE, `${name}-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`);
  // Guests that boot side by side want the same one.
  const made = making.get(file) ?? makeFile(name, file, make).finally(() => making.delete(file));
  making.set(file, made);
  return made;
}

const making = new Map<string, Promise<string>>();

async function makeFile(
  name: string,
  file: string,
  make: (work: string, to: string) => Promise<void>,
): Promise<string> {
  if (existsSync(file)) {
    await utimes(file, new Date(), new Date());
    return file;
  }
  await mkdir(CACHE, { recursive: true });
  for (const other of await readdir(CACHE))
    if (/^(.*)-[0-9a-f]{16}$/.exec(other)?.[1] === name) {
      const path = join(CACHE, other);
      if (Date.now() - statSync(path).mtimeMs > STALE_MS) await rm(path, { force: true });
    }
  const work = await mkdtemp(join(CACHE, '.image.'));
  // Also when we are interrupted.
  const reaper = new Reaper(work);
  try {
    await make(join(work, 'root'), join(work, 'image'));
    await rename(join(work, 'image'), file);
  } finally {
    await reaper.reap();
  }
  return file;
}

/** The first programs of a guest and its modules: unpacked by the kernel into memory. `init`: a file of lab/vm/guest. */
export async function initramfs(kernel: Kernel, init: 'init' | 'init-debian' = 'init'): Promise<string> {
  const sources = [init, ...NATIVE.map((p) => `${p}.c`)].map((f) => join(GUEST, f));
  const key = [
    kernel.modules,
    ...(await Promise.all(sources.map((f) => readFile(f, 'utf8')))),
    await build(),
  ];
  return cachedFile(
    `${init === 'init' ? 'initramfs' : 'initramfs-debian'}-${kernel.name}`,
    key.join('\0'),
    async (root, to) => {
      for (const d of ['bin', 'dev', 'proc', 'sys', 'usr', 'tmp', 'run', 'etc', 'lib/modules'])
        await mkdir(join(root, d), { recursive: true });
      await copyFile(await tool('busybox'), join(root, 'bin/busybox'));
      await copyFile(join(GUEST, init), join(root, 'init'));
      await chmod(join(root, 'init'), 0o755);
      for (const p of NATIVE)
        await run('gcc', [
          '-static',
          '-O2',
          '-Wall',
          '-Werror',
          '-pthread',
          '-o',
          join(root, 'bin', p),
          join(GUEST, `${p}.c`),
        ]);
      await cp(kernel.modules, join(root, 'lib/modules', kernel.release), { recursive: true });
      // Everything else comes with the system image, below /usr.
      await symlink('/usr/lib/x86_64-linux-gnu', join(root, 'lib/x86_64-linux-gnu'));
      await symlink('/usr/lib64', join(root, 'lib64'));
      // The kernel asks /sbin/modprobe for what it lacks.
      await symlink('bin', join(root, 'sbin'));
      await run('sh', [
        '-c',
        'cd "$1" && find . | "$2" --quiet -o -H newc -R 0:0 >"$3"',
        'sh',
        root,
        await tool('cpio'),
        to,
      ]);
    },
  );
}

/** Programs of the system image: those of this machine, with the libraries they need. */
const PROGRAMS = [
  ...['dash', 'ip', 'tc', 'bridge', 'ss', 'bpftool', 'iperf3', 'bash'],
  ...['nsenter', 'unshare', 'setpriv', 'prlimit'],
];

/** Node, iproute2, teamd and what tests run, below /usr, read-only: a page is read when it is needed, and memory is not the limit. */
export async function systemImage(): Promise<string> {
  const node = await realpath(process.execPath);
  const folder = await tools();
  const version = await readFile(join(folder, 'version'), 'utf8');
  return cachedFile('system', [node, process.version, version, ...PROGRAMS].join('\0'), async (root, to) => {
    const found = await Promise.all(
      PROGRAMS.map(async (p) => realpath((await run('which', [p])).stdout.trim())),
    );
    const team = ['teamd', 'teamdctl', 'teamnl'].map((p) => join(folder, 'usr/bin', p));
    for (const d of ['bin', 'lib/x86_64-linux-gnu', 'lib64']) await mkdir(join(root, d), { recursive: true });
    const programs = [node, ...found, ...team];
    for (const p of programs) await copyFile(p, join(root, 'bin', basename(p)));
    // Debug information and symbols of Node are a fifth of it.
    await run('strip', [join(root, 'bin/node')]);
    for (const lib of await librariesFor(programs, librariesOf(folder)))
      await copyFile(
        await realpath(lib),
        join(root, lib.includes('ld-linux') ? 'lib64' : 'lib/x86_64-linux-gnu', basename(lib)),
      );
    await squash(root, to);
  });
}

/** Shared libraries of programs, as the loader finds them. */
async function librariesFor(programs: string[], LD_LIBRARY_PATH: string): Promise<Set<string>> {
  const { stdout } = await run('ldd', programs, { env: { ...process.env, LD_LIBRARY_PATH } });
  const missing = /^\s*(\S+) => not found/m.exec(stdout);
  if (missing) throw new Error(`${missing[1]} is missing for one of ${programs.join(', ')}`);
  return new Set([...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((m) => m[1]!));
}

/** Parts of the repository that a guest has below /project. */
const PROJECT = [
  'package.json',
  'vitest.config.ts',
  'bpf',
  'dist',
  'src',
  'workers',
  'lab',
  'bench',
  'test',
  'packages/bpf-loader-ts',
  'docs',
];
/** Of the loader, what only a developer needs, or another machine; and results, which grow while guests run. */
const LEFT_OUT = [
  ...['native', 'deps', 'docs', 'test/release'].map((d) => join('packages/bpf-loader-ts', d)),
  'bench/results',
];
/** Packages that guests do not need: tools of the build. */
const NOT_IN_GUESTS = new Set([
  '@biomejs',
  '@types',
  'typescript',
  'typedoc',
  'typedoc-plugin-markdown',
  'node-gyp',
  'prebuildify',
  '@shikijs',
  'lunr',
  'markdown-it',
  'bpf-loader-ts',
  'vfailover',
]);

/** The built project with its packages, below /project. Made anew when a file of it has changed. */
export const projectImage = (): Promise<string> =>
  cachedFile(
    'project',
    [...projectStamps(), readFileSync(join(ROOT, 'package-lock.json'))].join('\n'),
    async (root, to) => {
      await copyProject(root);
      await squash(root, to);
    },
  );

/** The same with its tests ready to run: as JavaScript, their programs compiled, and a `vitest` that is fast under emulation. */
export const testsImage = (): Promise<string> =>
  cachedFile(
    'tests',
    [...projectStamps(), readFileSync(join(ROOT, 'package-lock.json'))].join('\n'),
    async (root, to) => {
      await copyProject(root);
      for (const part of [
        'test',
        'src',
        'workers',
        'bench',
        'lab',
        'bpf',
        'packages/bpf-loader-ts/test',
        'packages/bpf-loader-ts/examples',
      ])
        await transpile(join(root, part));
      const tests = join(root, 'packages/bpf-loader-ts/test');
      for (const f of await readdir(join(tests, 'bpf')))
        if (f.endsWith('.c')) compileBpf(join(tests, 'bpf', f), join(tests, 'bpf', f.replace(/c$/, 'o')));
      compileBigEndianBpf(join(tests, 'bpf/basic.bpf.c'), join(tests, 'bpf/big-endian.bpf.o'));
      for (const p of ['victim', 'xsk']) compileProgram(join(tests, `${p}.c`), join(tests, p));
      const vitest = join(root, 'node_modules/vitest');
      await rm(vitest, { recursive: true });
      await mkdir(vitest);
      await writeFile(
        join(vitest, 'package.json'),
        JSON.stringify({ type: 'module', exports: './index.js' }),
      );
      await writeFile(join(vitest, 'index.js'), "export * from '../../test/vm/matrix/vitest.js';\n");
      await squash(root, to);
    },
  );

/** Every TypeScript file below a folder, as JavaScript beside it. */
async function transpile(folder: string): Promise<void> {
  const { default: ts } = await import('typescript');
  for (const e of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!e.isFile() || !e.name.endsWith('.ts') || e.name.endsWith('.d.ts')) continue;
    const file = join(e.parentPath ?? e.path, e.name);
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), { compilerOptions });
    await writeFile(file.replace(/ts$/, 'js'), outputText);
  }
}

function projectStamps(): string[] {
  const stamps: string[] = [ROOT];
  const walk = (dir: string): void => {
    for (const e of readdirSync(join(ROOT, dir), { withFileTypes: true })) {
      const path = join(dir, e.name);
      if (LEFT_OUT.includes(path)) continue;
      if (e.isDirectory()) walk(path);
      else if (e.isFile())
        stamps.push(`${path} ${statSync(join(ROOT, path)).mtimeMs} ${statSync(join(ROOT, path)).size}`);
    }
  };
  for (const p of PROJECT)
    statSync(join(ROOT, p)).isDirectory() ? walk(p) : stamps.push(`${p} ${statSync(join(ROOT, p)).mtimeMs}`);
  return stamps;
}

async function copyProject(root: string): Promise<void> {
  for (const p of PROJECT) {
    await mkdir(dirname(join(root, p)), { recursive: true });
    await cp(join(ROOT, p), join(root, p), {
      recursive: true,
      filter: (f) => !LEFT_OUT.some((d) => f === join(ROOT, d)),
    });
  }
  await mkdir(join(root, 'node_modules'), { recursive: true });
  for (const p of await readdir(join(ROOT, 'node_modules')))
    if (!p.startsWith('.') && !NOT_IN_GUESTS.has(p))
      await cp(join(ROOT, 'node_modules', p), join(root, 'node_modules', p), {
        recursive: true,
        verbatimSymlinks: true,
      });
  await symlink('../packages/bpf-loader-ts', join(root, 'node_modules/bpf-loader-ts'));
}

/** Not compressed: unpacking would be emulated. */
async function squash(root: string, to: string): Promise<void> {
  await runTool(
    'mksquashfs',
    root,
    to,
    '-noI',
    '-noD',
    '-noF',
    '-noX',
    '-no-xattrs',
    '-all-root',
    '-quiet',
    '-no-progress',
  );
}

/** What the images are made with besides their sources. */
async function build(): Promise<string> {
  const { stdout } = await run('gcc', ['--version']);
  return `${stdout}${await readFile(join(await tools(), 'version'), 'utf8')}`;
}
