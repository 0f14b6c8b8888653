import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
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
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../../src/paths.js';
import { CACHE } from './cache.js';
import type { Kernel } from './kernel.js';
import { librariesOf, runTool, tool, tools } from './tools.js';

const run = promisify(execFile);
const GUEST = join(ROOT, 'test/vm/guest');
/** Programs of the guest that we write: test/vm/guest/NAME.c. */
const NATIVE = ['agent', 'stream', 'ask'];

/** Makes a file of the cache once per key: a change of what goes in makes another. Older ones of the name are removed. */
async function cachedFile(
  name: string,
  key: string,
  make: (work: string, to: string) => Promise<void>,
): Promise<string> {
  const file = join(CACHE, `${name}-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`);
  if (existsSync(file)) return file;
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, '.image.'));
  try {
    await make(join(work, 'root'), join(work, 'image'));
    await rename(join(work, 'image'), file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}

/** The first programs of a guest and its modules: unpacked by the kernel into memory. */
export async function initramfs(kernel: Kernel): Promise<string> {
  const sources = ['init', ...NATIVE.map((p) => `${p}.c`)].map((f) => join(GUEST, f));
  const key = [
    kernel.release,
    ...(await Promise.all(sources.map((f) => readFile(f, 'utf8')))),
    await build(),
  ];
  return cachedFile(`initramfs-${kernel.name}`, key.join('\0'), async (root, to) => {
    for (const d of ['bin', 'dev', 'proc', 'sys', 'usr', 'tmp', 'run', 'etc', 'lib/modules'])
      await mkdir(join(root, d), { recursive: true });
    await copyFile(await tool('busybox'), join(root, 'bin/busybox'));
    await copyFile(join(GUEST, 'init'), join(root, 'init'));
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
  });
}

/** Programs of the system image: those of this machine, with the libraries they need. */
const PROGRAMS = ['dash', 'ip', 'tc', 'bridge', 'ss'];

/** Node, iproute2 and teamd below /usr, read-only: a page is read when it is needed, and memory is not the limit. */
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
  'bench',
  'test',
  'packages/bpf-loader-ts',
  'docs',
];
/** What only a developer needs, or another machine. */
const LEFT_OUT = ['native', 'deps', 'docs', 'release'];
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
export async function projectImage(): Promise<string> {
  const stamps: string[] = [];
  const walk = (dir: string): void => {
    for (const e of readdirSync(join(ROOT, dir), { withFileTypes: true })) {
      const path = join(dir, e.name);
      if (dir === 'packages/bpf-loader-ts' && LEFT_OUT.includes(e.name)) continue;
      if (e.isDirectory()) walk(path);
      else if (e.isFile())
        stamps.push(`${path} ${statSync(join(ROOT, path)).mtimeMs} ${statSync(join(ROOT, path)).size}`);
    }
  };
  for (const p of PROJECT)
    statSync(join(ROOT, p)).isDirectory() ? walk(p) : stamps.push(`${p} ${statSync(join(ROOT, p)).mtimeMs}`);
  stamps.push(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));
  return cachedFile('project', [ROOT, ...stamps].join('\n'), async (root, to) => {
    for (const p of PROJECT) {
      await mkdir(dirname(join(root, p)), { recursive: true });
      await cp(join(ROOT, p), join(root, p), {
        recursive: true,
        filter: (f) => !LEFT_OUT.some((d) => f === join(ROOT, 'packages/bpf-loader-ts', d)),
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
    await squash(root, to);
  });
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
