import { native } from '../binding.js';

const sys = native as {
  sendOnChange(words: Int32Array, rows: Int32Array, sends: Int32Array, bytes: Uint8Array): number;
};

/** A frame and the socket that it leaves by. */
export interface PreparedSend {
  fd: number;
  frame: Uint8Array;
  /** The part of the frame that gets random bytes each time it is sent: where it begins and how long it is. */
  fresh?: { at: number; bytes: number };
}

// Words of a row and of a send: native/sys_packet.c.
const AT = 0;
const KNOWN = 1;
const END = 2;
const SENT = 3;
const ROW_WORDS = 4;
const SEND_WORDS = 5;

/**
 * Frames that leave as soon as a word in mapped memory is another than it was: what a thread has to say before anything else when it is
 * woken. Code that runs once in a month is not compiled when its moment comes, and JavaScript's compiler takes longer than the message
 * may; so run(), which is to be called on every turn and so is compiled, compares and sends natively. Keys are the caller's.
 */
export class ChangeSender {
  readonly #words: Int32Array;
  readonly #sends = new Map<number, { at: number; sends: readonly PreparedSend[] }>();
  #row = new Map<number, number>();
  #rows = new Int32Array(0);
  #places = new Int32Array(0);
  #bytes = new Uint8Array(0);

  /** `words` may be mapped memory; once its mapping is closed run() finds nothing changed. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Watches `words[at]` for another value than `known`; replaces what `key` stood for. Nothing is sent until `prepare`. */
  watch(key: number, at: number, known: number): void {
    this.#sends.set(key, { at, sends: [] });
    this.#row.delete(key);
    this.#lay(key, known);
  }

  /** What to send from the next change on: replaces an earlier list. Frames are copied, sockets stay the caller's. */
  prepare(key: number, sends: readonly PreparedSend[]): void {
    const entry = this.#sends.get(key);
    if (!entry) return;
    entry.sends = sends;
    this.#lay();
  }

  /** Stops watching for `key`; that there is nothing of it is no error. */
  forget(key: number): void {
    if (this.#sends.delete(key)) this.#lay();
  }

  /** Sends for every word that has changed, once for each value found; returns how many had. Allocates nothing. */
  run(): number {
    return sys.sendOnChange(this.#words, this.#rows, this.#places, this.#bytes);
  }

  /** Whether everything prepared for `key` was taken by its sockets at the last change; false if nothing was prepared. */
  sent(key: number): boolean {
    const row = this.#row.get(key);
    const wanted = this.#sends.get(key)?.sends.length ?? 0;
    return row !== undefined && wanted > 0 && this.#rows[row * ROW_WORDS + SENT] === wanted;
  }

  /** Lays the arrays out anew; what is known stays, but for `fresh`. */
  #lay(fresh?: number, known = 0): void {
    const before = this.#rows;
    const was = this.#row;
    const all = [...this.#sends.values()].flatMap((e) => e.sends);
    this.#row = new Map();
    this.#rows = new Int32Array(this.#sends.size * ROW_WORDS);
    this.#places = new Int32Array(all.length * SEND_WORDS);
    this.#bytes = new Uint8Array(all.reduce((n, { frame }) => n + frame.length, 0));
    let end = 0;
    for (const [key, { at, sends }] of this.#sends) {
      const row = this.#row.size;
      const old = (was.get(key) ?? 0) * ROW_WORDS;
      const base = row * ROW_WORDS;
      end += sends.length;
      this.#row.set(key, row);
      this.#rows[base + AT] = at;
      this.#rows[base + KNOWN] = key === fresh ? known : before[old + KNOWN]!;
      this.#rows[base + END] = end;
      this.#rows[base + SENT] = key === fresh ? 0 : before[old + SENT]!;
    }
    let offset = 0;
    all.forEach(({ fd, frame, fresh = { at: 0, bytes: 0 } }, i) => {
      this.#places.set([fd, offset, frame.length, fresh.at, fresh.bytes], i * SEND_WORDS);
      this.#bytes.set(frame, offset);
      offset += frame.length;
    });
  }
}
