import './sys/dispose.js';
import { MapType } from './constants.js';
import { BpfError } from './errors.js';
import type { BpfMap } from './map.js';
import { PAGE_SIZE } from './map.js';
import { bufferOf, Mapping } from './mmap.js';
import type { ReadOnlyView } from './readonly-view.js';

const BUSY = 0x80000000 | 0;
const DISCARD = 0x40000000;
const LEN = 0x3fffffff;

/**
 * Consumer of a BPF ring buffer (Linux 5.8), wholly in mapped memory: reading a record is loads and one store, no system call and no
 * copy. One consumer per buffer. To wait for records put `fd` in an epoll set: it is readable while records wait.
 */
export class RingBuffer implements Disposable {
  readonly #map: BpfMap;
  readonly #consumer: Mapping;
  readonly #data: Mapping;
  readonly #pos: Int32Array;
  readonly #pos64: BigInt64Array;
  readonly #producer: Int32Array;
  readonly #words: Int32Array;
  readonly #mask: number;
  #busy = false;
  /** The record last given to the callback: valid only during it. Read-only, as the kernel's memory is. */
  readonly view: ReadOnlyView;

  constructor(map: BpfMap) {
    if (map.info.type !== MapType.ringbuf)
      throw new BpfError('BPF_ARGUMENT', `map ${map.info.name} is no ring buffer`);
    const size = map.info.maxEntries;
    this.#map = map;
    this.#mask = size - 1;
    this.#consumer = new Mapping(map.fd, PAGE_SIZE, 0, true);
    try {
      // The kernel maps the data twice in a row, so that no record wraps.
      this.#data = new Mapping(map.fd, PAGE_SIZE + 2 * size, PAGE_SIZE, false);
    } catch (e) {
      this.#consumer.close();
      throw e;
    }
    const data = bufferOf(this.#data);
    this.#pos = this.#consumer.int32();
    this.#pos64 = new BigInt64Array(this.#consumer.buffer);
    this.#producer = new Int32Array(data, 0, 2);
    this.#words = new Int32Array(data, PAGE_SIZE);
    this.view = this.#data.reader(PAGE_SIZE);
  }

  /** The map's descriptor, for epoll. Throws BPF_CLOSED when the map is closed. */
  get fd(): number {
    return this.#map.fd;
  }

  get closed(): boolean {
    return this.#consumer.closed;
  }

  /** True while records wait (or one is being written): two loads, for busy polling. False once closed. */
  get pending(): boolean {
    return this.#pos.length > 0 && Atomics.load(this.#producer, 0) !== this.#pos[0];
  }

  /**
   * Gives every waiting record to `fn` (view, byte offset, bytes); returns how many there were. Allocates nothing. A record whose
   * callback throws counts as read: the next call goes on behind it. The callback may close the buffer.
   */
  consume(fn: (view: ReadOnlyView, offset: number, length: number) => void): number {
    if (this.closed) throw new BpfError('BPF_CLOSED', `the consumer of map ${this.#map.info.name} is closed`);
    if (this.#busy) throw new BpfError('BPF_ARGUMENT', 'consume() was called from its own callback');
    this.#busy = true;
    let n = 0;
    try {
      // Positions are 64 bits long; only their low words are compared, since a buffer is smaller than 4 GiB.
      while (this.#pos.length > 0 && Atomics.load(this.#producer, 0) !== this.#pos[0]) {
        const lo = this.#pos[0]! >>> 0;
        const at = (lo & this.#mask) >>> 2;
        const header = Atomics.load(this.#words, at);
        if (header & BUSY) break;
        const length = header & LEN;
        try {
          if (!(header & DISCARD)) {
            n++;
            fn(this.view, (at << 2) + 8, length);
          }
        } finally {
          if (this.#pos.length > 0) this.#advance(lo, (length + 8 + 7) & ~7);
        }
      }
    } finally {
      this.#busy = false;
    }
    return n;
  }

  #advance(lo: number, bytes: number): void {
    const next = lo + bytes;
    if (next <= 0xffffffff) Atomics.store(this.#pos, 0, next | 0);
    // Once in 4 GiB: one store of 64 bits, for the kernel must never read half of it.
    else Atomics.store(this.#pos64, 0, (BigInt(this.#pos[1]!) << 32n) + BigInt(next));
  }

  close(): void {
    this.#consumer.close();
    this.#data.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
