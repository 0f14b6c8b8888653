/**
 * The cross-path witness as a state machine. Pure. A network's broadcasts reach both slaves. A slave that keeps missing the other's
 * broadcasts is cut off, even if its link is up and no probe is sent. Only frames that every device receives count
 * (bpf/probe.bpf.h). The master's own frames do not count.
 *
 * Times are CLOCK_MONOTONIC nanoseconds as doubles. Counts are int32 that wrap. Nothing here allocates after construction.
 */

export interface WitnessOptions {
  /** Time for which one slave must miss the broadcasts that the other receives, ns. */
  timeoutNs: number;
  /** Least number of frames to miss. The slave must have received as many before a missing frame counts. */
  minFrames: number;
}

export class Witness {
  readonly options: WitnessOptions;
  // By path.
  readonly dead = new Int32Array(2);
  /** Frames that the other slave has received since the last frame of this slave. */
  readonly missing = new Int32Array(2);
  /** Time of the first missing frame, 0 if none is missing. */
  readonly sinceNs = new Float64Array(2);
  /** Time of the step that saw the latest frame of the slave. */
  readonly seenNs = new Float64Array(2);
  /** Frames that the slave received since its link came up, at most `minFrames`. */
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
    // A single lost burst is no fault, so the missing frames must span half the timeout.
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
