/** So often something may be undone by others before we wait with setting it again. */
const FREE = 5;
/** A repair is forgotten after so long without another one, ms. */
const FORGET_MS = 10_000;
/** The longest wait, ms. */
const MAX_WAIT_MS = 60_000;

/**
 * Bounds the quarrel with somebody who undoes what we set again and again. The first repairs are made at once, later ones after
 * waits that double from a second to a minute.
 */
export class Damper {
  readonly #now: () => number;
  #repairs = 0;
  #last = Number.NEGATIVE_INFINITY;

  /** `now`: a clock in ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How often something was set again lately. */
  get repairs(): number {
    return this.#repairs;
  }

  /** ms until the next repair may be made; 0: now. */
  get waitMs(): number {
    this.#decay();
    const over = this.#repairs - FREE;
    if (over < 0) return 0;
    return Math.max(0, this.#last + Math.min(MAX_WAIT_MS, 1000 * 2 ** over) - this.#now());
  }

  /** True if somebody undoes what we set so often that repairs wait. */
  get quarrel(): boolean {
    this.#decay();
    return this.#repairs >= FREE;
  }

  /** A repair was made. */
  repaired(): void {
    this.#decay();
    this.#repairs++;
    this.#last = this.#now();
  }

  /** Long after the last repair, which must be longer than the wait for the next, all is forgotten. */
  #decay(): void {
    const over = Math.max(0, this.#repairs - FREE);
    if (this.#now() - this.#last > FORGET_MS + 2 * Math.min(MAX_WAIT_MS, 1000 * 2 ** over)) this.#repairs = 0;
  }
}
