/** So many changes of others are taken back at once; then it is waited, twice as long each time. */
const FREE = 5;
const BASE_MS = 1000;
const MAX_MS = 60_000;

/** Bounds how often something is set again that somebody else changes again and again. Times are performance.now(), ms. */
export class Strikes {
  #count = 0;
  #lastMs = 0;
  #nextMs = 0;

  /** How often it was set again, until it has been quiet for a minute. */
  strikes(nowMs: number): number {
    if (nowMs - this.#lastMs > MAX_MS) this.#count = 0;
    return this.#count;
  }

  /** True if it may be set again now. */
  may(nowMs: number): boolean {
    return this.strikes(nowMs) < FREE || nowMs >= this.#nextMs;
  }

  /** It is set again. */
  strike(nowMs: number): void {
    const over = this.strikes(nowMs) + 1 - FREE;
    this.#count++;
    this.#lastMs = nowMs;
    this.#nextMs = over < 0 ? nowMs : nowMs + Math.min(MAX_MS, BASE_MS * 2 ** over);
  }

  /** What was changed was our own doing, or is another thing now. */
  reset(): void {
    this.#count = 0;
    this.#nextMs = 0;
  }
}
