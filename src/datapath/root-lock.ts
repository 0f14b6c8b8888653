import { fstatSync, readFileSync, statSync } from 'node:fs';
import { lockFile } from 'bpf-loader-ts/sys';
import { VfError } from '../errors.js';

/** True if the descriptor is that of what stands at `path`. */
export function sameFile(fd: number, path: string): boolean {
  const [held, now] = [fstatSync(fd), statSync(path)];
  return held.ino === now.ino && held.dev === now.dev;
}

/**
 * Locks the folder of a store, one daemon to each. The lock is gone when its holder is, and leaves nothing behind.
 * @throws VfError INSTANCE_BUSY naming the process that holds it
 */
export function lockRoot(root: string): number {
  const fd = lockFile(root);
  if (fd !== undefined) return fd;
  const holder = holderOf(root);
  throw new VfError(
    'INSTANCE_BUSY',
    `another daemon works with ${root}${holder === undefined ? '' : ` (process ${holder})`}`,
    {
      field: 'pin_root',
      value: root,
      fix: 'use that daemon through its socket, stop it, or give this one another pin_root',
    },
  );
}

/** Process id of whoever holds the lock, by /proc/locks. */
function holderOf(path: string): string | undefined {
  const inode = statSync(path).ino;
  const line = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .find((l) => l.includes(' FLOCK ') && l.includes(`:${inode} `));
  return line?.trim().split(/\s+/)[4];
}
