import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { libbpfVersion } from 'bpf-loader-ts';
import { expect, it } from 'vitest';
import { node, tempFolder } from './helpers.js';

const PACKAGE = fileURLToPath(new URL('../', import.meta.url));
const HERE = `linux-${process.arch}`;

/** What importing a copy of the package, with these files for addons, throws. */
function importing(prebuilds: Record<string, string>): { name: string; code: string; message: string } {
  const copy = mkdtempSync(join(tempFolder(), 'copy-'));
  for (const part of ['package.json', 'dist'])
    cpSync(join(PACKAGE, part), join(copy, part), { recursive: true });
  for (const [platform, text] of Object.entries(prebuilds)) {
    mkdirSync(join(copy, 'prebuilds', platform), { recursive: true });
    writeFileSync(join(copy, 'prebuilds', platform, 'bpf_loader.node'), text);
  }
  const url = pathToFileURL(join(copy, 'dist/index.js')).href;
  const run = node(
    `const error = await import(${JSON.stringify(url)}).then(() => ({}), (e) => e);
     console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message }));`,
  );
  expect(run).toMatchObject({ status: 0, stderr: '' });
  return JSON.parse(run.stdout);
}

it('without any addon: what is missing, and what makes it', () => {
  expect(importing({})).toMatchObject({
    name: 'BpfError',
    code: 'BPF_ADDON',
    message: expect.stringMatching(
      `no addon for ${HERE} \\(only for: none\\).*prebuilds/${HERE}/bpf_loader\\.node.*make prebuild`,
    ),
  });
});

it('with addons for other platforms only: these are named', () => {
  expect(importing({ 'linux-riscv64': '', 'linux-s390x': '' })).toMatchObject({
    code: 'BPF_ADDON',
    message: expect.stringMatching(`no addon for ${HERE} \\(only for: linux-riscv64, linux-s390x\\)`),
  });
});

it('with a damaged addon: why it cannot be loaded, and which C library there is', () => {
  expect(
    importing({ [HERE]: 'not an ELF file, but longer than the header of one: '.repeat(9) }),
  ).toMatchObject({
    code: 'BPF_ADDON',
    message: expect.stringMatching(/invalid ELF header; it needs glibc 2\.\d+ or later \(here: 2\.\d+\)/),
  });
});

it('the version of the libbpf inside is known', () => {
  expect(libbpfVersion).toMatch(/^1\.\d+$/);
});
