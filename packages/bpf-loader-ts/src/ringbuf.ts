import { BpfError } from './errors.js';
import type { BpfMap } from './map.js';
import { PAGE_SIZE } from './map.js';
import { Mapping } from './mmap.js';

const BUSY = 0x80000000 | 0;
const DISCARD = 0x40000000;
const LEN = 0x3fffffff;

/**
 * Consumer of a BPF ring buffer (Linux 5.8), wholly in mapped memory: reading a record is loads and one store, no system call and no
 * copy. One consumer per buffer. To wait for records put `fd` in an epoll set: it is readable while records wait.
 */
export class RingBuffer implements Disposable {
  readonly #consumer: Mapping;
  readonly #data: Mapping;
  readonly #pos: Int32Array;
  readonly #producer: Int32Array;
  readonly #words: Int32Array;
  readonly #mask: number;
  /** The record last given to the callback: valid only during it. */
  readonly view: DataView;
  readonly fd: number;

  constructor(map: BpfMap) {
    const size = map.info.maxEntries;
    if (size < PAGE_SIZE || (size & (size - 1)) !== 0) throw new BpfError('BPF_ARGUMENT', `map ${map.info.name} is no ring buffer`);
    this.fd = map.fd;
    this.#mask = size - 1;
    this.#consumer = new Mapping(map.fd, PAGE_SIZE, 0, true);
    // The kernel maps the data twice in a row, so that no record wraps.
    this.#data = new Mapping(map.fd, PAGE_SIZE + 2 * size, PAGE_SIZE, false);
    this.#pos = this.#consumer.int32();
    this.#producer = new Int32Array(this.#data.buffer, 0, 2);
    this.#words = new Int32Array(this.#data.buffer, PAGE_SIZE);
    this.view = new DataView(this.#data.buffer, PAGE_SIZE);
  }

  /** True while records wait: two loads, for busy polling. */
  get pending(): boolean {
    return Atomics.load(this.#producer, 0) !== this.#pos[0];
  }

  /** Gives every waiting record to `fn` (view, byte offset, bytes); returns how many there were. Allocates nothing. */
  consume(fn: (view: DataView, offset: number, length: number) => void): number {
    let n = 0;
    // Positions are 64 bits long and only their low words are compared: a buffer is far smaller than 4 GiB.
    let lo = this.#pos[0]! >>> 0;
    let hi = this.#pos[1]!;
    while ((Atomics.load(this.#producer, 0) >>> 0) !== lo) {
      const at = (lo & this.#mask) >>> 2;
      const header = Atomics.load(this.#words, at);
      if (header & BUSY) break;
      const length = header & LEN;
      if (!(header & DISCARD)) {
        fn(this.view, (at << 2) + 8, length);
        n++;
      }
      lo += (length + 8 + 7) & ~7;
      if (lo > 0xffffffff) {
        lo -= 0x100000000;
        hi++;
        // The kernel reads the position as one 64-bit word: let it never see a mixture that is ahead of the truth.
        Atomics.store(this.#pos, 0, 0);
        Atomics.store(this.#pos, 1, hi);
      }
      Atomics.store(this.#pos, 0, lo | 0);
    }
    return n;
  }

  close(): void {
    this.#consumer.close();
    this.#data.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
