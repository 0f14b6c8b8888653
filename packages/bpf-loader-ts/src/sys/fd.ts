import './dispose.js';
import { native } from '../binding.js';
import { track } from '../leaks.js';

/** What hot calls fill and send: any view over memory, no copy. */
export type Bytes = ArrayBufferView | ArrayBuffer;

const sys = native as {
  fdClose(fd: number): void;
  fdRead(fd: number, bytes: Bytes): number;
  fdWrite(fd: number, bytes: Bytes, len: number): number;
  fdDup(fd: number): number;
  errnoName(errno: number): string;
  lockFile(path: string): number | null;
  eventfdCreate(): number;
  eventfdSignal(fd: number): number;
  eventfdClear(fd: number): number;
};

/** Thrown on use after close(). */
export class ClosedError extends Error {
  readonly code = 'ERR_CLOSED';
  constructor(what: string) {
    super(`${what} is closed`);
    this.name = 'ClosedError';
  }
}

/** One file descriptor and the duty to close it. Not collected by the garbage collector: call close(). */
export abstract class OwnedFd implements Disposable {
  #fd: number;
  readonly #untrack: () => void;
  /** What this is, for messages and leak reports. */
  readonly what: string;

  protected constructor(fd: number, what: string = new.target.name) {
    this.#fd = fd;
    this.what = what;
    this.#untrack = track(what);
  }

  /** What use after close() throws. */
  protected closedError(): Error {
    return new ClosedError(this.what);
  }

  /** The descriptor, still owned by this object. Throws ERR_CLOSED (BPF_CLOSED for maps, programs and links) after close(). */
  get fd(): number {
    if (this.#fd < 0) throw this.closedError();
    return this.#fd;
  }

  /** True after close(). */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /** Closes the descriptor; again is harmless. */
  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#untrack();
    sys.fdClose(fd);
  }

  /** close() */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Closes a bare descriptor, such as netnsCreate() returns. Throws EBADF. */
export function closeFd(fd: number): void {
  sys.fdClose(fd);
}

/** read(2). Returns the bytes read, 0 at the end, or -errno. Allocates nothing. */
export function readFd(fd: number, bytes: Bytes): number {
  return sys.fdRead(fd, bytes);
}

/** write(2) of the first `len` bytes (all by default). Returns the bytes written or -errno. */
export function writeFd(fd: number, bytes: Bytes, len: number = bytes.byteLength): number {
  return sys.fdWrite(fd, bytes, len);
}

/** A close-on-exec duplicate, never 0, 1 or 2. Throws EBADF, EMFILE. */
export function dupFd(fd: number): number {
  return sys.fdDup(fd);
}

/** `ENODEV` for -19 (or 19), as the hot calls return them. */
export function errnoName(rc: number): string {
  return sys.errnoName(rc);
}

/**
 * Takes the lock of a folder, or of a file, which is made (mode 0600) when it is not there: flock(2), exclusive, without waiting. Returns the
 * descriptor that holds it, or undefined when somebody else does. The lock goes when the descriptor is closed (closeFd) or the
 * process ends, however that ends; the file stays. Throws ENOENT (no such folder), EACCES, ELOOP (a symbolic link).
 */
export function lockFile(path: string): number | undefined {
  return sys.lockFile(path) ?? undefined;
}

/** eventfd(2), non-blocking: wakes an epoll or a watch in another thread. Both ends may share one fd. */
export class EventFd extends OwnedFd {
  constructor() {
    super(sys.eventfdCreate());
  }

  /** Makes the fd readable. Returns 0 or -errno. */
  signal(): number {
    return sys.eventfdSignal(this.fd);
  }

  /** Takes all signals: how many there were, 0 for none, or -errno. */
  clear(): number {
    return sys.eventfdClear(this.fd);
  }
}

/** signal() on an eventfd that another thread owns. Returns 0 or -errno. */
export function eventfdSignal(fd: number): number {
  return sys.eventfdSignal(fd);
}

/** clear() on an eventfd that another thread owns. */
export function eventfdClear(fd: number): number {
  return sys.eventfdClear(fd);
}
