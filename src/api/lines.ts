const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines of UTF-8 text, and keeps at most one line of `max` bytes. The buffer doubles, so that a line that arrives byte
 * by byte costs no more than a whole one.
 */
export class LineSplitter {
  readonly #max: number;
  #buffer = Buffer.alloc(0);
  #length = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Yields each line that `chunk` completes, without its newline. Yields null once for a line over `max`, after which feeding must stop. */
  *push(chunk: Buffer): Generator<string | null> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (!this.#append(chunk.subarray(start, end))) {
        yield null;
        return;
      }
      const line = this.#buffer.toString('utf8', 0, this.#length);
      this.#length = 0;
      start = end + 1;
      yield line;
    }
    if (!this.#append(chunk.subarray(start))) yield null;
    if (this.#length === 0) this.#buffer = Buffer.alloc(0);
  }

  #append(part: Buffer): boolean {
    const length = this.#length + part.length;
    if (length > this.#max) return false;
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#max, Math.max(length, this.#buffer.length * 2)));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    part.copy(this.#buffer, this.#length);
    this.#length = length;
    return true;
  }
}
