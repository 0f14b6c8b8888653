import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statfsSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { native } from '../binding.js';
import { BPF_F_RDONLY } from '../constants.js';
import { BpfError } from '../errors.js';
import { closeFd } from '../sys/fd.js';
import { wrap } from '../wrap.js';
import { type KernelObject, objectOfFd } from './fdinfo.js';

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

/** What is pinned at a path. */
export interface Pin extends KernelObject {
  path: string;
}

/** A file system's refusal as a BpfError. */
function files<T>(doing: string, fn: () => T): T {
  try {
    return fn();
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    throw new BpfError('BPF_PIN', `${doing}: ${(e as Error).message}`, {
      cause: e,
      ...(code !== undefined && { errno: code }),
    });
  }
}

function mustBeOnBpffs(doing: string, path: string): void {
  if (!isBpffs(path))
    throw new BpfError('BPF_PIN', `${doing}: ${path} is not on a BPF file system, or not there`);
}

/**
 * Every pin in a folder of a BPF file system and the folders below it, sorted by path. What goes away meanwhile is left out. Throws
 * BPF_PIN for a folder that is none, BPF_PERMISSION where the pins may not be opened.
 */
export function listPins(folder: string): Pin[] {
  const doing = `pins in ${folder}`;
  mustBeOnBpffs(doing, folder);
  return files(doing, () => readdirSync(folder, { withFileTypes: true }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return existsSync(path) ? listPins(path) : [];
      const object = pinned(path);
      return object ? [{ path, ...object }] : [];
    });
}

function pinned(path: string): KernelObject | undefined {
  let fd: number;
  try {
    fd = openPin('pin', path);
  } catch (e) {
    if (e instanceof BpfError && e.errno === 'ENOENT') return undefined;
    throw e;
  }
  try {
    return objectOfFd(fd);
  } finally {
    closeFd(fd);
  }
}

/** Removes a pin. What it stood for ends when nothing else holds it. Throws BPF_PIN (ENOENT), and for what is no pin. */
export function unpin(path: string): void {
  const doing = `unpin ${path}`;
  mustBeOnBpffs(doing, dirname(path));
  if (files(doing, () => statSync(path)).isDirectory())
    throw new BpfError('BPF_PIN', `${doing}: it is a folder, not a pin`);
  files(doing, () => unlinkSync(path));
}
