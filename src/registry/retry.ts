/** Bounds of the wait between two tries, and the source of its jitter. */
export interface BackoffOptions {
  /** Ceiling of the first wait, ms. Default 100. */
  baseMs?: number;
  /** Ceiling that the waits grow to, ms. Default 30 000. */
  maxMs?: number;
  /** Uniform in [0, 1). Injected, so that tests are exact and the core stays pure. */
  random: () => number;
}

export const RETRY_BASE_MS = 100;
export const RETRY_MAX_MS = 30_000;

/**
 * Exponential backoff with full jitter: the n-th wait is uniform in 1 … min(max, base × 2ⁿ) ms, so that a
 * thousand instances that failed for one reason do not come back in step.
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #attempts = 0;
  #retryAtMs = 0;

  constructor(options: BackoffOptions) {
    this.#baseMs = options.baseMs ?? RETRY_BASE_MS;
    this.#maxMs = options.maxMs ?? RETRY_MAX_MS;
    this.#random = options.random;
  }

  /** Failures since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /** When the next try is due, in the clock given to `fail`. */
  get retryAtMs(): number {
    return this.#retryAtMs;
  }

  /** The longest that the next wait can be, ms. */
  get ceilingMs(): number {
    // 2 ** 1024 is Infinity, which min() takes care of.
    return Math.min(this.#maxMs, this.#baseMs * 2 ** this.#attempts);
  }

  /**
   * A try failed at `nowMs`. Returns when the next is due. At least 1 ms ahead: a loop over `tick` must
   * come to an end.
   */
  fail(nowMs: number): number {
    this.#retryAtMs = nowMs + Math.max(1, Math.floor(this.#random() * this.ceilingMs));
    this.#attempts += 1;
    return this.#retryAtMs;
  }

  due(nowMs: number): boolean {
    return nowMs >= this.#retryAtMs;
  }

  /** Something changed that may have removed the cause: the next wait starts from the base again. */
  reset(): void {
    this.#attempts = 0;
    this.#retryAtMs = 0;
  }
}
