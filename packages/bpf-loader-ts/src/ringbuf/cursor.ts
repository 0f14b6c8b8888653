import type { BpfMap } from '../map/map.js';
import { bufferOf, Mapping, PAGE_SIZE } from '../map/mmap.js';
import type { ReadOnlyView } from '../map/readonly-view.js';

const BUSY = 0x80000000 | 0;
const DISCARD = 0x40000000;
const LEN = 0x3fffffff;

/** The place of the consumer in the mapped memory of a ring buffer, and the record that stands there. Loads and one store; no system call. */
export class RingCursor {
  readonly #consumer: Mapping;
  readonly #data: Mapping;
  readonly #pos: Int32Array;
  readonly #pos64: BigInt64Array;
  readonly #producer: Int32Array;
  readonly #words: Int32Array;
  readonly #mask: number;
  /** The records' memory: read-only, as it is the kernel's. */
  readonly view: ReadOnlyView;
  /** Of the record that head() found: byte offset in `view`, and bytes. */
  offset = 0;
  length = 0;
  /** What has been read so far. */
  records = 0;
  discarded = 0;
  bytes = 0;

  constructor(map: BpfMap) {
    const size = map.info.maxEntries;
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

  get closed(): boolean {
    return this.#pos.length === 0;
  }

  /** Bytes between consumer and producer. Positions are 64 bits long, but a buffer is smaller than 4 GiB: the low words tell. */
  get used(): number {
    return this.closed ? 0 : (Atomics.load(this.#producer, 0) - this.#pos[0]!) >>> 0;
  }

  /** True while something is between consumer and producer: two loads. */
  get pending(): boolean {
    return !this.closed && Atomics.load(this.#producer, 0) !== this.#pos[0];
  }

  /** Finds the next record, stepping over discarded ones. False when there is none, or it is still being written, or all is closed. */
  head(): boolean {
    while (this.pending) {
      const at = (this.#pos[0]! & this.#mask) >>> 2;
      const header = Atomics.load(this.#words, at);
      if (header & BUSY) return false;
      this.length = header & LEN;
      if (!(header & DISCARD)) {
        this.offset = (at << 2) + 8;
        return true;
      }
      this.discarded++;
      this.#advance();
    }
    return false;
  }

  /** Gives the record that head() found back to the kernel. */
  release(): void {
    this.records++;
    this.bytes += this.length;
    if (!this.closed) this.#advance();
  }

  #advance(): void {
    const next = (this.#pos[0]! >>> 0) + ((this.length + 8 + 7) & ~7);
    if (next <= 0xffffffff) Atomics.store(this.#pos, 0, next | 0);
    // Once in 4 GiB: one store of 64 bits, for the kernel must never read half of it.
    else Atomics.store(this.#pos64, 0, (BigInt(this.#pos[1]!) << 32n) + BigInt(next));
  }

  close(): void {
    this.#consumer.close();
    this.#data.close();
  }
}
