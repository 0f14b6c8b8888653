import '../sys/dispose.js';
import { BpfError } from '../errors.js';
import { expectType } from '../map/kinds.js';
import type { BpfMap } from '../map/map.js';
import type { ReadOnlyView } from '../map/readonly-view.js';
import { closeFd, dupFd } from '../sys/fd.js';
import { wrap } from '../wrap.js';
import { RingCursor } from './cursor.js';
import { type DroppedCount, droppedReader } from './dropped.js';
import { RecordStream, type RingRecord } from './records.js';
import { Waiter, type WaitResult } from './waiter.js';

/** What a RingBuffer may be told. */
export interface RingBufferOptions {
  /** Where the program counts what found no room; see `dropped`. */
  dropped?: DroppedCount;
}

/** What a consumer has read so far, and how full the buffer is. */
export interface RingStats {
  /** Records given to the reader so far, and their bytes without headers. */
  records: number;
  bytes: number;
  /** Records that the program discarded (bpf_ringbuf_discard). */
  discarded: number;
  /** Bytes of the buffer that are taken now, headers included, and all its bytes. */
  used: number;
  size: number;
}

/**
 * Consumer of a BPF ring buffer (Linux 5.8), wholly in mapped memory: reading a record is loads and one store, no system call and no copy.
 * One consumer per buffer. Three ways to wait, which may take turns:
 *
 * - busy: `while (running) ring.consume(fn)`;
 * - blocked, in a worker: `while (ring.wait() !== 'woken') ring.consume(fn)`;
 * - on the event loop: `for await (const record of ring) …`.
 *
 * Waiting sees what the program submits with a wake-up (the default, or BPF_RB_FORCE_WAKEUP). The kernel wakes for a record only when the
 * consumer has read all before it; with BPF_RB_NO_WAKEUP it never does, so wait with a timeout.
 */
export class RingBuffer implements Disposable, AsyncIterable<RingRecord> {
  readonly #map: BpfMap;
  readonly #cursor: RingCursor;
  readonly #readDropped: (() => number) | undefined;
  #busy = false;
  #stream: RecordStream | undefined;
  #waiter: Waiter | undefined;
  /** A duplicate of the map's, so that the map may be closed while somebody waits. */
  #waitFd = -1;
  /** Bytes of the buffer. */
  readonly size: number;
  /** The record last given to the callback: valid only during it. Read-only, as the kernel's memory is. */
  readonly view: ReadOnlyView;

  constructor(map: BpfMap, options: RingBufferOptions = {}) {
    expectType(map, 'RingBuffer', 'ringbuf');
    this.#readDropped = options.dropped === undefined ? undefined : droppedReader(options.dropped);
    this.#map = map;
    this.size = map.info.maxEntries;
    this.#cursor = new RingCursor(map);
    this.view = this.#cursor.view;
  }

  /** The map's descriptor, for an epoll of one's own: readable while records wait. Throws BPF_CLOSED when the map is closed. */
  get fd(): number {
    return this.#map.fd;
  }

  /** True after close(). */
  get closed(): boolean {
    return this.#cursor.closed;
  }

  /** True while records wait (or one is being written): two loads, for busy polling. False once closed. */
  get pending(): boolean {
    return this.#cursor.pending;
  }

  /** Bytes of the buffer that are taken: records that wait or are being written, with 8 bytes of header each. */
  get used(): number {
    return this.#cursor.used;
  }

  /** Counted by this consumer, not by others before it. */
  get stats(): RingStats {
    const { records, bytes, discarded, used } = this.#cursor;
    return { records, bytes, discarded, used, size: this.size };
  }

  /**
   * Records that found no room, as the program counts them where the option `dropped` says; the kernel does not count. In the program:
   *
   *     __u64 dropped;
   *     e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
   *     if (!e) {
   *       __sync_fetch_and_add(&dropped, 1);
   *       return 0;
   *     }
   */
  get dropped(): number {
    if (!this.#readDropped)
      throw new BpfError(
        'BPF_ARGUMENT',
        `${this.#map.what}: the kernel does not count what it drops: have the program count, and tell where by the option "dropped"`,
      );
    return this.#readDropped();
  }

  #open(): void {
    if (this.closed) throw new BpfError('BPF_CLOSED', `the consumer of ${this.#map.what} is closed`);
  }

  #claim(): void {
    this.#open();
    if (this.#busy) throw new BpfError('BPF_ARGUMENT', 'consume() was called from its own callback');
    if (this.#stream)
      throw new BpfError(
        'BPF_ARGUMENT',
        `the records of ${this.#map.what} are being iterated: end that first`,
      );
  }

  /**
   * Gives every waiting record to `fn` (view, byte offset, bytes); returns how many there were. Allocates nothing. A record whose
   * callback throws counts as read: the next call goes on behind it. The callback may close the buffer.
   */
  consume(fn: (view: ReadOnlyView, offset: number, length: number) => void): number {
    this.#claim();
    if (typeof fn !== 'function')
      throw new BpfError('BPF_ARGUMENT', `consume() takes a function, got ${typeof fn}`);
    const cursor = this.#cursor;
    const before = cursor.records;
    this.#busy = true;
    try {
      while (cursor.head()) {
        try {
          fn(this.view, cursor.offset, cursor.length);
        } finally {
          cursor.release();
        }
      }
    } finally {
      this.#busy = false;
    }
    return cursor.records - before;
  }

  #waitable(): number {
    this.#open();
    if (this.#waitFd < 0)
      this.#waitFd = wrap('BPF_MAP', `wait for ${this.#map.what}`, () => dupFd(this.#map.fd));
    return this.#waitFd;
  }

  #wait(): Waiter {
    this.#open();
    this.#waiter ??= wrap('BPF_MAP', `wait for ${this.#map.what}`, () => new Waiter(this.#waitable()));
    return this.#waiter;
  }

  /**
   * Blocks the thread until records wait, another thread wakes it, or `timeoutUs` microseconds passed (-1: for ever, 0: only looks). A
   * wake-up that came before counts, once. For workers: Node's event loop stands still meanwhile. A worker that is terminated while it
   * waits ends within 0.1 s; its descriptors stay open until the process ends, so wake it and let it close them where that matters.
   */
  wait(timeoutUs = -1): WaitResult {
    return this.#wait().wait(timeoutUs);
  }

  /** What another thread gives to `eventfdSignal` to end a wait(), while this is open. */
  get wakeFd(): number {
    return this.#wait().event.fd;
  }

  /** Ends a wait(), or the next one. */
  wake(): void {
    this.#wait().event.signal();
  }

  /**
   * The records on the event loop, one at a time and without a copy; the loop's body may await. Leaving the loop, `return()`, `throw()`, the
   * signal (the iteration throws its reason) and close() end it; until then consume() is refused. It keeps the process alive only while it
   * waits for a record. After 1,024 records in a row other work of the loop gets its turn.
   */
  records(options: { signal?: AbortSignal } = {}): AsyncIterableIterator<RingRecord, undefined> {
    this.#claim();
    if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
      throw new BpfError('BPF_ARGUMENT', 'signal must be an AbortSignal');
    const stream: RecordStream = new RecordStream(this.#cursor, this.#waitable(), options.signal, () => {
      if (this.#stream === stream) this.#stream = undefined;
    });
    if (!options.signal?.aborted) this.#stream = stream;
    return stream;
  }

  /** records() */
  [Symbol.asyncIterator](): AsyncIterator<RingRecord, undefined> {
    return this.records();
  }

  /** Unmaps the buffer and ends whatever waits; the map stays open. Again is harmless. */
  close(): void {
    this.#stream?.stop();
    this.#waiter?.close();
    this.#waiter = undefined;
    if (this.#waitFd >= 0) closeFd(this.#waitFd);
    this.#waitFd = -1;
    this.#cursor.close();
  }

  /** close() */
  [Symbol.dispose](): void {
    this.close();
  }
}
