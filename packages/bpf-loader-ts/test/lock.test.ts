import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { closeFd, lockFile } from 'bpf-loader-ts/sys';
import { expect, it } from 'vitest';
import { after, pinFolder, SYS_URL, tempFolder } from './helpers.js';

/** A process that has taken the lock and holds it until it dies. */
async function holder(path: string): Promise<ChildProcess> {
  const script = `const { lockFile } = await import(${JSON.stringify(SYS_URL)});
    console.log(lockFile(${JSON.stringify(path)}) === undefined ? 'refused' : 'held'); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  after(() => void child.kill('SIGKILL'));
  const [said] = (await once(child.stdout!, 'data')) as [Buffer];
  expect(said.toString().trim()).toBe('held');
  return child;
}

it('one holds it, and another gets it when that one is killed', async () => {
  const path = join(tempFolder(), 'held');
  const child = await holder(path);
  expect(lockFile(path)).toBeUndefined();
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  const fd = lockFile(path);
  expect(fd).toBeGreaterThan(2);
  closeFd(fd!);
});

it('is released by closing, and is not shared within a process', () => {
  const path = join(tempFolder(), 'own');
  const fd = lockFile(path)!;
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toMatch(/flags:\s*02\d{6}/); // O_CLOEXEC
  expect(lockFile(path)).toBeUndefined();
  closeFd(fd);
  const again = lockFile(path)!;
  expect(again).toBeGreaterThan(2);
  closeFd(again);
});

it.each([
  ['on disk', () => join(tempFolder(), 'folder')],
  ['of pins', pinFolder],
])('locks a folder %s itself', (_, place) => {
  const folder = place();
  mkdirSync(folder);
  const fd = lockFile(folder)!;
  expect(fd).toBeGreaterThan(2);
  expect(lockFile(folder)).toBeUndefined();
  closeFd(fd);
  const again = lockFile(folder)!;
  expect(again).toBeGreaterThan(2);
  closeFd(again);
});

it('refuses links and places that do not exist', () => {
  symlinkSync('/etc/hostname', join(tempFolder(), 'link'));
  symlinkSync('/etc', join(tempFolder(), 'link-to-folder'));
  for (const name of ['link', 'link-to-folder'])
    expect(() => lockFile(join(tempFolder(), name))).toThrow(expect.objectContaining({ code: 'ELOOP' }));
  expect(() => lockFile('/nowhere/lock')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
