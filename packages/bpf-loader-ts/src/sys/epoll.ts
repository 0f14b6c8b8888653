import { native } from '../binding.js';
import { OwnedFd } from './fd.js';

const sys = native as {
  epollCreate(): number;
  epollCtlAdd(epfd: number, fd: number, data: number): void;
  epollCtlDel(epfd: number, fd: number): void;
  epollWait(epfd: number, ready: Int32Array, timeoutUs: number): number;
};

/** epoll(7), level-triggered, for threads that block outside Node's loop. */
export class Epoll extends OwnedFd {
  constructor() {
    super(sys.epollCreate());
  }

  /** Watches `fd` for readability; wait() reports it as `data` (int32). Throws EEXIST, EPERM (a regular file). */
  add(fd: number, data: number): void {
    sys.epollCtlAdd(this.fd, fd, data);
  }

  /** Throws ENOENT when `fd` was not added. Do this before closing `fd` if a duplicate of it lives on. */
  delete(fd: number): void {
    sys.epollCtlDel(this.fd, fd);
  }

  /**
   * Blocks the thread until something is readable or `timeoutUs` microseconds passed; -1 waits forever, 0 only looks. Stores
   * the `data` of what is ready and returns how many (at most ready.length and 64), 0 on timeout or signal, or -errno.
   * Finer than a millisecond from Linux 5.11 on, rounded up before.
   */
  wait(ready: Int32Array, timeoutUs: number): number {
    return sys.epollWait(this.fd, ready, timeoutUs);
  }
}
