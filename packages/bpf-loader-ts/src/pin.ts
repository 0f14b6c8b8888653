import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { BpfError } from './errors.js';

const BPF_FS_MAGIC = 0xcafe4a11;
const isBpffs = (path: string): boolean => {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
};

/** Makes a folder for pins, mounting the BPF file system at /sys/fs/bpf if nothing is mounted there. */
export function ensurePinFolder(path: string): void {
  if (path.startsWith('/sys/fs/bpf') && !isBpffs('/sys/fs/bpf')) {
    try {
      execFileSync('mount', ['-t', 'bpf', 'bpf', '/sys/fs/bpf'], { stdio: 'pipe' });
    } catch (e) {
      throw new BpfError('BPF_PIN', 'no BPF file system: run `mount -t bpf bpf /sys/fs/bpf` as root', { cause: e });
    }
  }
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (e) {
    throw new BpfError('BPF_PIN', `cannot make the pin folder ${path}: ${(e as Error).message}`, { cause: e });
  }
  if (!isBpffs(path)) throw new BpfError('BPF_PIN', `${path} is not on a BPF file system (${dirname(path)}): nothing can be pinned there`);
}
