/** Losses that are mended at once, if they come within QUIET_MS of each other. */
export const FREE = 5;
/** After so long without a loss all is forgotten, ms. */
export const QUIET_MS = 60_000;
const WAIT_MIN_MS = 1_000;
const WAIT_MAX_MS = 60_000;

/** How often something that somebody undoes again and again is done again: at once at first, then after 1, 2, 4 … 60 s. */
export class Patience {
  #count = 0;
  /** Attempts in a row that failed since it was last undone. */
  #failures = 0;
  #last = Number.NEGATIVE_INFINITY;
  #dueAt = Number.NEGATIVE_INFINITY;

  /** Times that it was undone, since it was last quiet for a minute. */
  get count(): number {
    return this.#count;
  }

  /** When it may be done again, in the clock given to `undone`. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** It was undone, as seen at `now`, ms. True if it may be done again at once. */
  undone(now: number): boolean {
    if (now - this.#last > QUIET_MS && now - this.#dueAt > QUIET_MS) this.#count = 0;
    this.#last = now;
    this.#count++;
    // Whatever is undone had been done, so earlier attempts count no more.
    this.#failures = 0;
    this.#dueAt = now + (this.#count <= FREE ? 0 : this.#wait());
    return this.#dueAt <= now;
  }

  /** It could not be done at `now`. */
  failed(now: number): void {
    this.#last = now;
    this.#failures++;
    this.#dueAt = now + this.#wait();
  }

  #wait(): number {
    return Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** (Math.max(0, this.#count - FREE) + this.#failures - 1));
  }
}
