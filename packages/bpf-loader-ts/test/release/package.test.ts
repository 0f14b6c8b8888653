import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { libbpfVersion } from 'bpf-loader-ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compile } from '../helpers.js';

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const ADDON = `prebuilds/linux-${process.arch}/bpf_loader.node`;
const LICENSES = `prebuilds/linux-${process.arch}/LICENSES.txt`;

interface Packed {
  filename: string;
  size: number;
  files: { path: string }[];
}

let folder: string;
let packed: Packed;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpf-loader-ts-package-'));
  const json = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: PACKAGE,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  packed = (JSON.parse(json) as Packed[])[0]!;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is small, and has what it needs and nothing else', () => {
  expect(packed.size).toBeLessThanOrEqual(1 << 20);
  const files = packed.files.map((f) => f.path);
  expect(files).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'package.json',
      'dist/index.js',
      'dist/index.d.ts',
      'docs/api/README.md',
      'docs/api/bpf-loader-ts.md',
      'docs/api/bpf-loader-ts/sys.md',
      ADDON,
      LICENSES,
    ]),
  );
  const expected =
    /^(LICENSE|README\.md|package\.json|dist\/[\w/-]+(\.js|\.d\.ts)|docs\/api\/[\w/-]+\.md|prebuilds\/linux-(x64|arm64)\/(bpf_loader\.node|LICENSES\.txt)|native\/(elfutils\/)?[\w-]+\.(c|h|gyp|gypi|sh|map))$/;
  expect(files.filter((f) => !expected.test(f))).toEqual([]);
});

it('has no install script: neither one of its own nor what npm makes of a binding.gyp', () => {
  const manifest = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as Record<string, unknown>;
  expect(manifest).not.toHaveProperty('scripts');
  expect(manifest).not.toHaveProperty('dependencies');
  expect(packed.files.map((f) => f.path)).not.toContain('binding.gyp');
});

it('the addon needs the C library alone, and shows Node alone what is in it', () => {
  const read = (command: string, ...args: string[]): string[] =>
    execFileSync(command, [...args, join(PACKAGE, ADDON)], { encoding: 'utf8' }).split('\n');
  const needed = read('readelf', '--dynamic', '--wide').flatMap((l) => /NEEDED.*\[(.*)\]/.exec(l)?.[1] ?? []);
  expect(needed.filter((n) => !n.startsWith('ld-linux'))).toEqual(['libc.so.6']);
  const symbols = (which: string): string[] =>
    read('nm', '--dynamic', which).flatMap((l) => l.trim().split(' ').at(-1) || []);
  expect(symbols('--defined-only')).toEqual([
    'napi_register_module_v1',
    'node_api_module_get_api_version_v1',
  ]);
  const wanted = symbols('--undefined-only').filter(
    (s) => !/^(napi_|node_api_|uv_|_ITM_|__gmon_start__)/.test(s),
  );
  const versions = new Set(wanted.map((s) => Number(/@GLIBC_2\.(\d+)/.exec(s)?.[1])));
  // What binding.ts says it needs.
  const glibc = /GLIBC = '2\.(\d+)'/.exec(readFileSync(join(PACKAGE, 'src/binding.ts'), 'utf8'));
  expect(Math.max(...versions)).toBe(Number(glibc?.[1]));
});

it('the licences of what is inside travel with it, with the versions of the sources', () => {
  const text = readFileSync(join(PACKAGE, LICENSES), 'utf8');
  const versions = readFileSync(join(PACKAGE, 'deps/versions'), 'utf8').trim().split('\n');
  expect(versions.map((v) => v.split(' ')[0])).toEqual(['libbpf', 'elfutils', 'zlib']);
  for (const version of versions) expect(text).toContain(`  ${version}\n`);
  expect(versions[0]).toMatch(`libbpf ${libbpfVersion}.`);
  for (const words of [
    'Redistributions in binary form must reproduce the above copyright',
    'GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1',
    'GNU GENERAL PUBLIC LICENSE\n                       Version 2',
    'GNU LESSER GENERAL PUBLIC LICENSE\n                       Version 3',
    "This software is provided 'as-is'",
  ])
    expect(text).toContain(words);
  expect(readFileSync(join(PACKAGE, 'LICENSE'), 'utf8')).toBe(
    readFileSync(join(PACKAGE, '../../LICENSE'), 'utf8'),
  );
});

it('installs and works on a machine that has nothing but Node and npm', () => {
  const npm = dirname(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())));
  const root = mkdtempSync(join(folder, 'root-'));
  const run = spawnSync(
    'unshare',
    [
      ...['--mount', here('bare-machine.sh'), root, realpathSync(process.execPath), npm],
      ...[join(folder, packed.filename), here('first-run.mjs'), compile('basic')],
    ],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect(run, run.stderr).toMatchObject({ status: 0 });
  const seen = JSON.parse(run.stdout) as Record<string, string[]>;
  expect(seen).toMatchObject({
    counted: 7,
    module: '// Written by bpf2ts from basic.bpf.o. Do not edit: run bpf2ts again.',
    libbpf: libbpfVersion,
    installed: ['.bin', '.package-lock.json', 'bpf-loader-ts'],
  });
  expect(new Set(seen.compilers)).toEqual(new Set(['ENOENT']));
  expect(seen.libraries).toContain('bpf_loader.node');
  for (const library of seen.libraries!)
    expect(library).toMatch(
      /^(bpf_loader\.node|(libc|libm|libdl|libpthread|libstdc\+\+|libgcc_s|ld-linux[\w-]*)\.so\.\d+)$/,
    );
});
