import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statfsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { native } from './binding.js';
import { BPF_F_RDONLY } from './constants.js';
import { BpfError, wrap } from './errors.js';

const BPF_FS_MAGIC = 0xcafe4a11;
const BPF_FS = '/sys/fs/bpf';

const isBpffs = (path: string): boolean => {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
};

/** The folder itself, or the nearest one above it that exists. */
function nearest(path: string): string {
  let at = resolve(path);
  while (!existsSync(at) && at !== '/') at = dirname(at);
  return at;
}

/** Makes a folder for pins, mounting the BPF file system at /sys/fs/bpf if nothing is mounted there. */
export function ensurePinFolder(path: string): void {
  const full = resolve(path);
  if ((full === BPF_FS || full.startsWith(`${BPF_FS}/`)) && !isBpffs(BPF_FS)) {
    try {
      execFileSync('mount', ['-t', 'bpf', 'bpf', BPF_FS], { stdio: 'pipe' });
    } catch (e) {
      throw new BpfError('BPF_PIN', `no BPF file system: run \`mount -t bpf bpf ${BPF_FS}\` as root`, {
        cause: e,
      });
    }
  }
  // Before anything is made: a refusal leaves no folders behind.
  if (!isBpffs(nearest(full)))
    throw new BpfError(
      'BPF_PIN',
      `${path} is not on a BPF file system: nothing can be pinned there; use a folder below ${BPF_FS}`,
    );
  try {
    mkdirSync(full, { recursive: true, mode: 0o700 });
  } catch (e) {
    throw new BpfError('BPF_PIN', `cannot make the pin folder ${path}: ${(e as Error).message}`, {
      cause: e,
    });
  }
}

/** Pins what a descriptor stands for. The kernel answers EPERM for reasons that no privilege would cure: these are told apart. */
export function pinFd(fd: number, what: string, path: string): void {
  if (basename(path).includes('.'))
    throw new BpfError('BPF_PIN', `pin ${what} at ${path}: names on a BPF file system have no dots`);
  if (existsSync(dirname(path)) && !isBpffs(dirname(path)))
    throw new BpfError('BPF_PIN', `pin ${what} at ${path}: ${dirname(path)} is not on a BPF file system`);
  wrap('BPF_PIN', `pin ${what} at ${path}`, () => native.objPin(fd, path));
}

/** The descriptor of what is pinned at `path`. Only maps can be opened read-only. */
export const openPin = (what: string, path: string, readOnly = false): number =>
  wrap('BPF_PIN', `open ${what} ${path}`, () => native.objGet(path, readOnly ? BPF_F_RDONLY : 0));
