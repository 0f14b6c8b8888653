import { native } from '../binding.js';
import { closeFd } from './fd.js';

const sys = native as {
  netnsCreate(): number;
  netnsOpen(path: string): number;
  netnsEnter(fd: number): void;
  netnsCurrent(): number;
  netnsInode(fd: number): number;
  netnsCookie(fd: number): bigint | null;
};

/**
 * A new network namespace without a name: the returned fd (close it with closeFd) and what lives inside are all that holds it,
 * so it ends with the process, however that ends. The calling thread stays where it was. Throws EPERM without CAP_SYS_ADMIN.
 */
export function netnsCreate(): number {
  return sys.netnsCreate();
}

/** Opens /run/netns/NAME, /proc/PID/ns/net …; EINVAL for a file that is no network namespace. */
export function netnsOpen(path: string): number {
  return sys.netnsOpen(path);
}

/** An fd of the calling thread's namespace. */
export function netnsCurrent(): number {
  return sys.netnsCurrent();
}

/** Moves the calling thread, for good. Prefer withNetns(). */
export function netnsEnter(fd: number): void {
  sys.netnsEnter(fd);
}

/** The namespace's inode, as in `net:[4026531840]`. Reused after the namespace ended; see netnsCookie(). */
export function netnsInode(fd: number): number {
  return sys.netnsInode(fd);
}

/** The namespace's cookie, never reused while the machine runs; null before Linux 5.14. */
export function netnsCookie(fd: number): bigint | null {
  return sys.netnsCookie(fd);
}

/**
 * Runs `fn` with the calling thread inside the namespace and brings the thread back, whatever `fn` throws. `fn` must be
 * synchronous: the rest of an async function would run outside.
 */
export function withNetns<T>(fd: number, fn: () => T): T {
  const home = sys.netnsCurrent();
  try {
    sys.netnsEnter(fd);
    let result: T;
    try {
      result = fn();
    } finally {
      sys.netnsEnter(home);
    }
    if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
      throw new TypeError(
        'withNetns: the function is asynchronous and would leave the namespace at its first await',
      );
    }
    return result;
  } finally {
    closeFd(home);
  }
}
