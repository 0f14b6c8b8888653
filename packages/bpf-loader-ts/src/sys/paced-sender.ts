import './dispose.js';
import { native } from '../binding.js';
import { track } from '../leaks.js';
import { ClosedError } from './fd.js';

interface Handle {
  readonly brand: 'paceCreate';
}

const sys = native as {
  paceCreate(): Handle;
  paceSet(
    handle: Handle,
    key: number,
    fd: number,
    frames: Uint8Array,
    length: number,
    leastNs: number,
    mostNs: number,
    sentNs: number,
  ): void;
  paceAppend(handle: Handle, key: number, frames: Uint8Array): number;
  paceDrop(handle: Handle, key: number): void;
  paceTaken(handle: Handle, key: number): number;
  paceClose(handle: Handle): void;
};

/** Frames that leave by a socket again and again. */
export interface PacedSend {
  /** A packet or UDP socket. It stays the caller's, who drops or replaces what is sent by it before it is closed. */
  fd: number;
  /** One frame or several of one length, one after the other: each is sent once, in turn; the last one then repeats. Copied. */
  frames: Uint8Array;
  /** Of a frame: all of `frames` by default. */
  length?: number;
  /** Span from one frame to the next: at random from `leastNs`, 1 µs or more, to `mostNs`. */
  leastNs: number;
  mostNs: number;
  /** CLOCK_MONOTONIC, ns, of a frame that the caller has sent itself: the first one follows it after such a span. 0 (default): at once. */
  sentNs?: number;
}

/**
 * Sends frames periodically from a thread of its own, in C: with up to thousands of keys, without JavaScript, and whatever the thread that
 * prepared them is busy with. The thread asks for SCHED_FIFO (CAP_SYS_NICE), else it is scheduled as the one that made it; it begins with
 * the first `set`. What is due within a sixteenth of its span leaves with what is due now, if `leastNs` allows. What came late is not
 * made up for. Keys are the caller's: 0 to 65,535, small ones.
 */
export class PacedSender implements Disposable {
  #handle: Handle | undefined = sys.paceCreate();
  readonly #untrack = track('PacedSender');

  get #open(): Handle {
    if (this.#handle === undefined) throw new ClosedError('PacedSender');
    return this.#handle;
  }

  /**
   * From now on these leave for `key`, instead of earlier ones: a frame that was due and has not left yet is replaced. The span to the next
   * one counts from the last one that left, or `sentNs`, whichever is later. Throws EINVAL for what cannot be.
   */
  set(key: number, send: PacedSend): void {
    const { fd, frames, length = frames.length, leastNs, mostNs, sentNs = 0 } = send;
    sys.paceSet(this.#open, key, fd, frames, length, leastNs, mostNs, sentNs);
  }

  /**
   * Puts further frames behind those of `key` that have not been sent once: what changes from frame to frame is prepared ahead of time.
   * Returns how many wait now, or -EINVAL for frames of another length (or too many), -ENOENT for a key that is not set.
   */
  append(key: number, frames: Uint8Array): number {
    return sys.paceAppend(this.#open, key, frames);
  }

  /** Nothing leaves for `key` any more, from its return on; that there is nothing of it is no error. */
  drop(key: number): void {
    sys.paceDrop(this.#open, key);
  }

  /** Frames that the socket of `key` has taken since it was set first, wrapping at 2³¹. */
  taken(key: number): number {
    return sys.paceTaken(this.#open, key);
  }

  /** Ends the thread; again is harmless. */
  close(): void {
    if (this.#handle === undefined) return;
    sys.paceClose(this.#handle);
    this.#handle = undefined;
    this.#untrack();
  }

  /** close() */
  [Symbol.dispose](): void {
    this.close();
  }
}
