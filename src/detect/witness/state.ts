/**
 * The cross-path witness as a state machine. Pure. What a network broadcasts reaches both slaves; a slave that misses what the other
 * receives, frame after frame, is cut off, though nobody asked it anything and its link is up. Only what every device receives counts
 * (bpf/probe.bpf.h), and not what the master sent itself.
 *
 * Times are CLOCK_MONOTONIC nanoseconds as doubles; counts are int32 that wrap. Nothing here allocates after construction.
 */

export interface WitnessOptions {
  /** How long one path must miss what the other receives. */
  timeoutNs: number;
  /** How many frames at least; and as many the path must have received before anybody expects any of it. */
  minFrames: number;
}

export class Witness {
  readonly options: WitnessOptions;
  // By path.
  readonly dead = new Int32Array(2);
  /** Frames that the other path has received since this one's last. */
  readonly missing = new Int32Array(2);
  /** When the first of them came; 0: none is missing. */
  readonly sinceNs = new Float64Array(2);
  /** When the path's latest came, as far as steps saw it. */
  readonly seenNs = new Float64Array(2);
  /** What it received since its link came up, `minFrames` at most. */
  readonly seen = new Int32Array(2);
  readonly #up = new Int32Array(2);
  readonly #count = new Int32Array(2);
  readonly #fresh = new Int32Array(2);
  readonly #lastNs = new Float64Array(2);

  constructor(options: WitnessOptions) {
    this.options = options;
  }

  link(path: number, up: boolean): void {
    const now = up ? 1 : 0;
    if (this.#up[path] === now) return;
    this.#up[path] = now;
    this.seen[path] = 0;
    this.#forget(path);
  }

  get up(): Int32Array {
    return this.#up;
  }

  /** `primary` and `standby`: frames that each has received so far. */
  step(nowNs: number, primary: number, standby: number): void {
    this.#fresh[0] = (primary - this.#count[0]!) | 0;
    this.#fresh[1] = (standby - this.#count[1]!) | 0;
    this.#count[0] = primary;
    this.#count[1] = standby;
    this.#path(0, nowNs);
    this.#path(1, nowNs);
  }

  #path(path: number, nowNs: number): void {
    const { minFrames, timeoutNs } = this.options;
    const fresh = this.#fresh[path]!;
    const others = this.#fresh[path ^ 1]!;
    if (fresh > 0 && this.#up[path] === 1) {
      this.seenNs[path] = nowNs;
      this.seen[path] = Math.min(minFrames, this.seen[path]! + fresh);
      this.#forget(path);
      return;
    }
    if (this.#up[0] === 0 || this.#up[1] === 0) {
      this.#forget(path);
      return;
    }
    if (others > 0 && this.seen[path] === minFrames) {
      if (this.sinceNs[path] === 0) this.sinceNs[path] = nowNs;
      this.missing[path] = Math.min(1e9, this.missing[path]! + others);
      this.#lastNs[path] = nowNs;
    }
    // Missed over a while, not in one burst that got lost.
    if (
      this.missing[path]! >= minFrames &&
      nowNs - this.sinceNs[path]! >= timeoutNs &&
      this.#lastNs[path]! - this.sinceNs[path]! >= timeoutNs / 2
    )
      this.dead[path] = 1;
  }

  #forget(path: number): void {
    this.dead[path] = 0;
    this.missing[path] = 0;
    this.sinceNs[path] = 0;
  }
}
