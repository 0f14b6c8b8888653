import { possibleCpus } from 'bpf-loader-ts';
import { clockMonotonic } from 'bpf-loader-ts/sys';
import { COUNT_WORDS, COUNTERS_WORDS } from '../../src/datapath/offsets.js';
import type { Instances } from './instances.js';

/** An instance is idle when no frame passed for IDLE_NS (200 ms). Its links are then looked at every 20 ms at most. */
const IDLE_NS = 200e6;
const IDLE_INTERVAL_US = 20_000;
/**
 * Least time between two looks in epoll mode, as a multiple of a turn. With hundreds of instances a turn takes milliseconds, and the thread
 * would do nothing else.
 */
const BUSY_SHARE = 4;
const IDLE_SHARE = 32;

/** Decides how long a thread in epoll mode may wait between two looks at the links. Allocates nothing. */
export class Pace {
  readonly #instances: Instances;
  readonly #counters: Int32Array;
  readonly #clock: Float64Array;
  readonly #pollIntervalUs: number;
  readonly #cpus = possibleCpus();
  /** Start and end of the turn, ns. `#turnNs` is the shortest of recent turns, since one may have been interrupted. */
  readonly #turn = new Float64Array(2);
  #turnNs = 0;
  /** Sum of the frames counted, when it was last formed, and when it last changed. */
  #frames = 0;
  #lookedAt = 0;
  #movedAt = 0;

  /** `clock` is the loop's and has the time of its last turn. */
  constructor(
    instances: Instances,
    counters: Int32Array,
    clock: Float64Array,
    { pollIntervalUs }: { pollIntervalUs: number },
  ) {
    this.#instances = instances;
    this.#counters = counters;
    this.#clock = clock;
    this.#pollIntervalUs = pollIntervalUs;
  }

  /** Notes that a turn begins. */
  begin(): void {
    clockMonotonic(this.#turn, 0);
  }

  /** Returns the microseconds between two looks. */
  interval(): number {
    clockMonotonic(this.#turn, 1);
    const took = this.#turn[1]! - this.#turn[0]!;
    this.#turnNs = took < this.#turnNs ? took : this.#turnNs + (took - this.#turnNs) / 64;
    const idle = this.#idle();
    const least = ((idle ? IDLE_SHARE : BUSY_SHARE) * this.#turnNs) / 1e3;
    return Math.ceil(Math.max(this.#pollIntervalUs, idle ? IDLE_INTERVAL_US : 0, least));
  }

  /**
   * True if no frame has passed for IDLE_NS. Looking less often then loses nothing. The first frame to be sent meets tier 0, and the first one
   * counted brings the configured interval back. The counters are summed a few times in that span, not every turn.
   */
  #idle(): boolean {
    const now = this.#clock[0]!;
    if (now - this.#lookedAt < IDLE_NS / 8) return now - this.#movedAt >= IDLE_NS;
    this.#lookedAt = now;
    let sum = 0;
    const { n, slots } = this.#instances;
    for (let i = 0; i < n; i++) {
      const from = slots[i]! * this.#cpus * COUNTERS_WORDS;
      // `packets` is the first field of every count, and its low word changes with every frame.
      for (let at = 0; at < this.#cpus * COUNTERS_WORDS; at += COUNT_WORDS)
        sum = (sum + this.#counters[from + at]!) | 0;
    }
    if (sum !== this.#frames) {
      this.#frames = sum;
      this.#movedAt = now;
    }
    return now - this.#movedAt >= IDLE_NS;
  }
}
