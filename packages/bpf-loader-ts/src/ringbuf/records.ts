import { BpfError } from '../errors.js';
import type { ReadOnlyView } from '../map/readonly-view.js';
import { type FdWatch, watchFd } from '../sys/watch.js';
import type { RingCursor } from './cursor.js';

/** One record, in the kernel's own memory: valid until the next step of the iteration, and the same object each time. */
export interface RingRecord {
  readonly view: ReadOnlyView;
  /** Of the record in `view`, in bytes. */
  readonly offset: number;
  readonly length: number;
  /** A copy, to be kept. */
  bytes(): Uint8Array;
}

/** Records given without a pause before other work of the event loop gets its turn. */
const BURST = 1024;

type Result = IteratorResult<RingRecord, undefined>;
const END: Result = { done: true, value: undefined };

/**
 * The records of a ring buffer on the event loop. It polls the descriptor only while somebody waits for a record: a slow reader costs
 * nothing, and the kernel's buffer is the queue.
 */
export class RecordStream implements AsyncIterableIterator<RingRecord, undefined> {
  readonly #cursor: RingCursor;
  readonly #fd: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: () => void;
  readonly #record: RingRecord;
  #watch: FdWatch | undefined;
  #waiting: { resolve(result: Result): void; reject(reason: unknown): void } | undefined;
  /** The reader has a record, which goes back at its next step. */
  #given = false;
  #streak = 0;
  #ended = false;
  #failure: { reason: unknown } | undefined;
  readonly #abort = (): void => {
    this.#failure = { reason: this.#signal!.reason };
    this.stop();
  };

  constructor(cursor: RingCursor, fd: number, signal: AbortSignal | undefined, onEnd: () => void) {
    this.#cursor = cursor;
    this.#fd = fd;
    this.#signal = signal;
    this.#onEnd = onEnd;
    this.#record = {
      view: cursor.view,
      get offset() {
        return cursor.offset;
      },
      get length() {
        return cursor.length;
      },
      bytes: () => cursor.view.slice(cursor.offset, cursor.length),
    };
    if (signal?.aborted) {
      this.#failure = { reason: signal.reason };
      this.#ended = true;
    } else signal?.addEventListener('abort', this.#abort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    if (this.#waiting)
      return Promise.reject(
        new BpfError('BPF_ARGUMENT', 'next() was called before the last next() had an answer'),
      );
    this.#release();
    if (this.#ended) return this.#afterEnd();
    const yielding = this.#streak >= BURST;
    if (!yielding && this.#take()) return Promise.resolve({ done: false, value: this.#record });
    this.#streak = 0;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (yielding) setImmediate(() => this.#answer());
      else this.#poll();
    });
  }

  /** Ends the iteration: also one that waits for a record just now. */
  return(): Promise<Result> {
    this.stop();
    return Promise.resolve(END);
  }

  throw(reason: unknown): Promise<Result> {
    this.stop();
    return Promise.reject(reason);
  }

  /** Ends it from outside. A reader that waits gets the end, or the reason of an abort. */
  stop(): void {
    if (this.#ended) return;
    this.#release();
    this.#ended = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#watch?.close();
    this.#onEnd();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) this.#afterEnd().then(waiting.resolve, waiting.reject);
  }

  #afterEnd(): Promise<Result> {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure ? Promise.reject(failure.reason) : Promise.resolve(END);
  }

  #release(): void {
    if (!this.#given) return;
    this.#given = false;
    this.#cursor.release();
  }

  #take(): boolean {
    if (!this.#cursor.head()) return false;
    this.#given = true;
    this.#streak++;
    return true;
  }

  /** Made once, then paused and resumed: making one costs more than the wait. */
  #poll(): void {
    if (this.#watch) this.#watch.resume();
    else this.#watch = watchFd(this.#fd, () => this.#answer());
  }

  /** Gives the reader that waits its record; waits on when there is none yet, or it is still being written. */
  #answer(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    if (!this.#take()) {
      this.#poll();
      return;
    }
    this.#waiting = undefined;
    this.#watch?.pause();
    waiting.resolve({ done: false, value: this.#record });
  }
}
