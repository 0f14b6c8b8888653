import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { VfError } from '../../src/errors.js';
import { ROOT } from '../../src/paths.js';
import { CACHE, fetched } from './cache.js';

const run = promisify(execFile);
const SCRIPT = join(ROOT, 'lab/vm/debian.sh');
const SUITE = 'trixie';
/** Downloading and setting up 250 packages takes 45 s here. */
const BUILD_MS = 1_200_000;

/** Files for a guest's disk by absolute path: what is in them, or `{ link }` for a symbolic link. */
export type DiskFiles = Readonly<Record<string, string | { link: string }>>;

/** Folder with what makes and serves Debian guests: mmdebstrap, mkfs.ext4, dnsmasq. */
export const debianTools = (): Promise<string> =>
  fetched('debian-tools', 'bookworm', 'mmdebstrap', 'e2fsprogs+deps', 'dnsmasq-base+deps');

/** The disk of a whole Debian, made once per version of the script. Guests write to a copy that ends with them. */
export async function debianDisk(): Promise<string> {
  const script = createHash('sha256')
    .update(await readFile(SCRIPT))
    .digest('hex')
    .slice(0, 16);
  const disk = join(CACHE, `debian-${SUITE}-${script}`);
  if (existsSync(disk)) return disk;
  const folder = await debianTools();
  try {
    // Two that want the same wait for each other.
    await run('flock', [join(CACHE, '.debian.lock'), SCRIPT, disk, SUITE, folder], { timeout: BUILD_MS });
  } catch (e) {
    const { stderr } = e as { stderr?: string };
    throw new VfError('VM_UNAVAILABLE', `a Debian system of ${SUITE}: ${(stderr || String(e)).trim()}`, {
      field: 'suite',
      value: SUITE,
      fix: 'run as root with a Debian mirror in reach, or set VFAILOVER_VM_CACHE to a cache that has the disk',
      cause: e,
    });
  }
  return disk;
}

/** Writes files as a tar archive, which a guest's first process unpacks to its disk. A script (`#!`) can be run. */
export async function archive(files: DiskFiles, to: string): Promise<void> {
  const root = await mkdtemp(`${to}.`);
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    if (typeof content !== 'string') await symlink(content.link, file);
    // NetworkManager refuses connections that others may read.
    else await writeFile(file, content, { mode: content.startsWith('#!') ? 0o755 : modeOf(path) });
  }
  // Parents of the files exist in the guest, with modes of their own.
  await run('tar', [
    '-c',
    '-f',
    to,
    '-C',
    root,
    '--owner=0',
    '--group=0',
    '--no-recursion',
    ...Object.keys(files).map((p) => `.${p}`),
  ]);
  await rm(root, { recursive: true });
}

const modeOf = (path: string): number => (/system-connections|netplan/.test(path) ? 0o600 : 0o644);
