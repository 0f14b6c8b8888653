import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { Guest } from '../../lab/vm/guest.js';
import { ROOT } from '../../src/paths.js';
import { until } from '../helpers/wait.js';

/** What goes wrong with a guest ends in an error of its own time, with the guest's console; and leaves nothing. */

const run = promisify(execFile);

async function boot(): Promise<Guest> {
  const guest = await Guest.boot({ project: false, memoryMb: 160, cpus: 1 });
  onTestFinished(() => guest.stop());
  return guest;
}

const gone = (pid: number): boolean => !existsSync(`/proc/${pid}`);

test('runs commands, carries files, and is gone after stop', async () => {
  const guest = await boot();
  expect((await guest.exec('cat; echo oops >&2; exit 3', { stdin: 'in' })).code).toBe(3);
  expect(await guest.exec('cat; echo oops >&2', { stdin: 'in' })).toEqual({
    code: 0,
    stdout: 'in',
    stderr: 'oops\n',
  });
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i & 0xff));
  await guest.writeFile('/run/file', bytes);
  expect((await guest.readFile('/run/file')).equals(bytes)).toBe(true);
  await expect(guest.readFile('/run/none')).rejects.toMatchObject({ code: 'VM_FAILED' });
  expect(guest.residentMb).toBeLessThan(384);
  const { pid, folder } = guest;
  await guest.stop();
  expect([gone(pid), existsSync(folder)]).toEqual([true, false]);
});

test('is saved, and restored within seconds to where it was', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'vfailover-saved-')), 'state');
  onTestFinished(() => rmSync(join(file, '..'), { recursive: true }));
  const guest = await boot();
  await guest.run('echo kept >/run/mark');
  await guest.save(file);
  const again = await Guest.restore(file, guest.options);
  onTestFinished(() => again.stop());
  expect(await again.run('cat /run/mark')).toBe('kept\n');
});

test('a panic ends what waits for the guest, with the console', async () => {
  const guest = await boot();
  await expect(guest.exec('echo c >/proc/sysrq-trigger; sleep 60')).rejects.toMatchObject({
    code: 'VM_FAILED',
    message: expect.stringMatching(/QEMU ended[\s\S]*--- console ---[\s\S]*Kernel panic/),
  });
  await expect(guest.exec('true')).rejects.toMatchObject({ code: 'VM_FAILED' });
});

test('a command that does not end is ended, and the guest goes on', async () => {
  const guest = await boot();
  await expect(guest.run('echo I hang >/dev/console; sleep 1000', 1_500)).rejects.toMatchObject({
    code: 'VM_FAILED',
    message: expect.stringMatching(/no answer within 1500 ms to: [\s\S]*I hang/),
  });
  expect((await guest.run('ps | grep -c "[s]leep 1000" || true')).trim()).toBe('0');
});

test('a full disk is the command’s failure, not the guest’s', async () => {
  const guest = await boot();
  await expect(
    guest.run(
      'dd if=/dev/zero of=/dev/shm/x bs=1M count=500 2>&1; mkdir /m && mount -t tmpfs -o size=1m t /m && cat /dev/zero >/m/x',
    ),
  ).rejects.toThrow(/No space left/);
  expect(await guest.run('echo alive')).toBe('alive\n');
});

test('a QEMU that is killed closes QMP, and everything that waits for it', async () => {
  const guest = await boot();
  const waiting = guest.qmp.waitFor('DEVICE_DELETED', undefined, 60_000);
  const command = guest.exec('sleep 60');
  command.catch(() => {});
  process.kill(guest.pid, 'SIGKILL');
  await expect(waiting).rejects.toMatchObject({ code: 'QMP_CLOSED' });
  await expect(command).rejects.toMatchObject({
    code: 'VM_FAILED',
    message: expect.stringContaining('SIGKILL'),
  });
});

test('a guest ends with the process that started it, however that ends', async () => {
  const script = `
    import { Guest } from '${ROOT}/dist/lab/vm/guest.js';
    const g = await Guest.boot({ project: false, memoryMb: 160, cpus: 1 });
    console.log(g.pid, g.folder);
    process.kill(process.pid, 'SIGKILL');`;
  const { stdout } = (await run(process.execPath, ['--input-type=module', '-e', script]).catch((e) => e)) as {
    stdout: string;
  };
  const [pid, folder] = stdout.trim().split(' ') as [string, string];
  await until(() => gone(Number(pid)) && !existsSync(folder));
});

test('packages that cannot be had are named, with what to do', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'vfailover-cache-'));
  onTestFinished(() => rmSync(cache, { recursive: true }));
  const script = `
    import { fetched } from '${ROOT}/dist/lab/vm/cache.js';
    await fetched('none', 'bookworm', 'no-such-package').catch((e) => console.log(JSON.stringify(e)));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, VFAILOVER_VM_CACHE: cache },
  });
  expect(JSON.parse(stdout)).toMatchObject({
    code: 'VM_UNAVAILABLE',
    field: 'package',
    value: 'no-such-package',
    message: expect.stringContaining('Unable to locate package'),
    fix: expect.stringContaining('VFAILOVER_VM_CACHE'),
  });
  expect(existsSync(join(cache, 'none'))).toBe(false);
});
