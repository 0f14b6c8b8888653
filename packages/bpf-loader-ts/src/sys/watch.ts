import './dispose.js';
import { native } from '../binding.js';
import { track } from '../leaks.js';

const sys = native as {
  watchFd(fd: number, callback: (status: number) => void, ref: boolean): object;
  unwatchFd(handle: object): void;
  watchRef(handle: object, keepAlive: boolean): void;
  watchPause(handle: object, paused: boolean): void;
};

/** What watchFd() may be told. */
export interface WatchOptions {
  /** Whether the watch alone keeps the process alive; default true. */
  ref?: boolean;
}

/** A running watch. It does not own the fd: close the watch first, then the fd. */
export interface FdWatch extends Disposable {
  /** Ends the watch. Again is harmless. */
  close(): void;
  /** The watch alone keeps the process alive. */
  ref(): this;
  /** The watch alone does not keep the process alive. */
  unref(): this;
  /** No callbacks until resume(); a paused watch does not keep the process alive. Both may be repeated, and do nothing once closed. */
  pause(): this;
  /** Callbacks again. */
  resume(): this;
}

/**
 * Calls back on this thread's event loop while `fd` is readable (level-triggered: read until EAGAIN). `status` is 0, or
 * negative when the fd has an error to collect, such as a netlink overrun: read it, or close the watch. The fd becomes
 * non-blocking. What the callback throws is an uncaughtException. Throws EEXIST when this loop watches the fd already, EPERM
 * for a regular file.
 */
export function watchFd(fd: number, callback: (status: number) => void, options: WatchOptions = {}): FdWatch {
  const handle = sys.watchFd(fd, callback, options.ref ?? true);
  const untrack = track(`watch of fd ${fd}`);
  const close = (): void => {
    untrack();
    sys.unwatchFd(handle);
  };
  return {
    close,
    ref() {
      sys.watchRef(handle, true);
      return this;
    },
    unref() {
      sys.watchRef(handle, false);
      return this;
    },
    pause() {
      sys.watchPause(handle, true);
      return this;
    },
    resume() {
      sys.watchPause(handle, false);
      return this;
    },
    [Symbol.dispose]: close,
  };
}
