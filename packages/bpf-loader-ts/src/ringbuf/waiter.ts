import { BpfError } from '../errors.js';
import { Epoll } from '../sys/epoll.js';
import { EventFd, errnoName } from '../sys/fd.js';

/** Why a wait ended. */
export type WaitResult = 'records' | 'woken' | 'timeout';

const RECORDS = 0;
const WAKE = 1;

/** The longest single sleep: a thread that is terminated while it waits ends within this. */
const SLICE_US = 100_000;
const TIMEOUT_MAX_US = 0x7fff_ffff;

/** Blocks a thread until a descriptor is readable, or another thread wakes it. */
export class Waiter {
  readonly #epoll: Epoll;
  readonly event = new EventFd();
  readonly #ready = new Int32Array(2);

  constructor(fd: number) {
    try {
      this.#epoll = new Epoll();
    } catch (e) {
      this.event.close();
      throw e;
    }
    try {
      this.#epoll.add(fd, RECORDS);
      this.#epoll.add(this.event.fd, WAKE);
    } catch (e) {
      this.close();
      throw e;
    }
  }

  wait(timeoutUs: number): WaitResult {
    if (!Number.isInteger(timeoutUs) || timeoutUs < -1 || timeoutUs > TIMEOUT_MAX_US)
      throw new BpfError(
        'BPF_ARGUMENT',
        `timeoutUs is ${timeoutUs}, not a whole number from -1 (for ever) to ${TIMEOUT_MAX_US}`,
      );
    const end = timeoutUs < 0 ? Number.POSITIVE_INFINITY : performance.now() * 1000 + timeoutUs;
    for (let left = end === Number.POSITIVE_INFINITY ? SLICE_US : timeoutUs; ; ) {
      const n = this.#epoll.wait(this.#ready, Math.min(left, SLICE_US));
      if (n < 0) throw new BpfError('BPF_MAP', `wait for records: ${errnoName(n)}`, { errno: errnoName(n) });
      // A wake-up goes first: under load there are always records, and it would never be seen.
      for (let i = 0; i < n; i++) {
        if (this.#ready[i] !== WAKE) continue;
        this.event.clear();
        return 'woken';
      }
      if (n > 0) return 'records';
      left = Math.ceil(end - performance.now() * 1000);
      if (left <= 0) return 'timeout';
    }
  }

  close(): void {
    this.#epoll.close();
    this.event.close();
  }
}
