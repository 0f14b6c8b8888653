import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { VfError } from '../../src/errors.js';
import { Reaper } from '../netns/reaper.js';
import { CACHE, fetched } from './cache.js';
import { runTool } from './tools.js';

const run = promisify(execFile);

/** The kernels of the matrix: stock Debian, by the suite that carries them. */
export const KERNELS = {
  '6.1': 'bookworm',
  '6.12': 'bookworm-backports',
  '7': 'trixie-backports',
} as const;
export type KernelName = keyof typeof KERNELS;

export interface Kernel {
  name: KernelName;
  /** As uname -r has it. */
  release: string;
  /** Uncompressed, with its PVH entry: QEMU starts it without a boot loader, in half the time. */
  vmlinux: string;
  /** lib/modules/RELEASE with the modules of the lab alone. */
  modules: string;
}

/** What guests load; what these depend on comes along. A kernel that has one built in, or not at all, has no file of it. */
const MODULES = [
  ...['virtio_pci', 'virtio_console', 'virtio_blk', 'virtio_net', 'squashfs', '9p', '9pnet_virtio'],
  ...['failover', 'net_failover', 'e1000e', 'igb', 'igbvf', 'vmxnet3'],
  ...['bonding', 'team', 'team_mode_activebackup'],
  ...['sch_ingress', 'cls_bpf', 'act_bpf', 'veth', 'dummy', '8021q', 'bridge', 'tun', 'macvlan', 'ifb'],
  ...['sch_fq', 'sch_tbf', 'sch_netem', 'tcp_bbr'],
  // A whole Debian boots from a disk, and systemd mounts on demand.
  ...['crc32c_generic', 'ext4', 'autofs4', 'binfmt_misc'],
];
/** Another list of modules is another folder. */
const LIST = createHash('sha256').update(MODULES.join()).digest('hex').slice(0, 8);

/** The kernel of that name, fetched and distilled once. */
export async function kernel(name: KernelName): Promise<Kernel> {
  const folder = join(CACHE, `kernel-${name}-${LIST}`);
  if (!existsSync(folder)) await distill(name, folder);
  const release = (await readFile(join(folder, 'release'), 'utf8')).trim();
  return { name, release, vmlinux: join(folder, 'vmlinux'), modules: join(folder, 'lib/modules', release) };
}

async function distill(name: KernelName, folder: string): Promise<void> {
  const from = await fetched(`linux-${name}-${LIST}`, KERNELS[name], 'linux-image-amd64');
  const modulesIn = ['lib/modules', 'usr/lib/modules'].map((d) => join(from, d)).find((d) => existsSync(d));
  const release = modulesIn && (await readdir(modulesIn))[0];
  if (!modulesIn || !release) throw new VfError('VM_UNAVAILABLE', `the packages of ${name} hold no modules`);
  const work = await mkdtemp(join(CACHE, '.kernel.'));
  const reaper = new Reaper(work);
  try {
    const vmlinuz = [join(from, 'boot', `vmlinuz-${release}`), join(modulesIn, release, 'vmlinuz')].find(
      (f) => existsSync(f),
    );
    if (!vmlinuz) throw new VfError('VM_UNAVAILABLE', `the packages of ${name} hold no vmlinuz`);
    await extract(vmlinuz, join(work, 'vmlinux'));
    const to = join(work, 'lib/modules', release);
    await mkdir(join(to, 'kernel'), { recursive: true });
    for (const f of await readdir(join(modulesIn, release)))
      if (f.startsWith('modules.')) await cp(join(modulesIn, release, f), join(to, f));
    await copyModules(join(modulesIn, release), to);
    await runTool('depmod', '-b', work, release);
    await writeFile(join(work, 'release'), release);
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
  } finally {
    await reaper.reap();
  }
  // A hundred megabytes of drivers for other machines.
  for (const d of ['lib', 'usr', 'boot']) await rm(join(from, d), { recursive: true, force: true });
}

/** The payload of a bzImage, by its header (Documentation/arch/x86/boot.rst: payload_offset, payload_length). */
async function extract(vmlinuz: string, to: string): Promise<void> {
  const image = await readFile(vmlinuz);
  const start = ((image[0x1f1] || 4) + 1) * 512 + image.readUInt32LE(0x248);
  // Its last four bytes are the length of what is in it.
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
  const packed = `${to}.packed`;
  await writeFile(packed, payload);
  const magic = payload.readUInt32LE(0);
  const unpack = magic === 0xfd2fb528 ? 'zstd -dc' : magic === 0x587a37fd ? 'xz -dc --single-stream' : null;
  if (!unpack)
    throw new VfError('VM_UNAVAILABLE', `${vmlinuz} is packed in a way that the lab does not know`, {
      field: 'magic',
      value: magic.toString(16),
    });
  await run('sh', ['-c', `${unpack} "$1" >"$2"`, 'sh', packed, to]);
  await rm(packed);
}

/** Copies the lab's modules and what they depend on: unpacked, without debug information and signature (BTF stays). */
async function copyModules(from: string, to: string): Promise<void> {
  const dep = new Map<string, string[]>();
  const path = new Map<string, string>();
  const nameOf = (f: string): string =>
    f
      .replace(/.*\//, '')
      .replace(/\.ko(\.xz|\.zst)?$/, '')
      .replaceAll('-', '_');
  // Some packages have no modules.dep before they are installed: depmod over all of them then.
  if (!existsSync(join(from, 'modules.dep')))
    await runTool('depmod', '-b', join(from, '../../..'), from.replace(/.*\//, ''));
  for (const line of (await readFile(join(from, 'modules.dep'), 'utf8')).split('\n')) {
    const [file, deps] = line.split(':') as [string, string | undefined];
    if (deps === undefined) continue;
    path.set(nameOf(file), file);
    dep.set(nameOf(file), deps.trim().split(' ').filter(Boolean).map(nameOf));
  }
  const wanted = new Set(MODULES.flatMap((m) => (path.has(m) ? [m, ...dep.get(m)!] : [])));
  for (const m of wanted) {
    const source = join(from, path.get(m)!);
    const target = join(to, 'kernel', `${m}.ko`);
    const unpack = source.endsWith('.xz') ? 'xz -dc' : source.endsWith('.zst') ? 'zstd -dc' : 'cat';
    await run('sh', ['-c', `${unpack} "$1" >"$2" && strip --strip-debug "$2"`, 'sh', source, target]);
  }
}
