/**
 * Combines carrier with the detectors' verdicts (`detect.carrier: combined`). An active slave without carrier is left only once all
 * detectors that watch the slave have a verdict too. With carrier, their verdicts alone do not suffice. Pure. Runs on every turn, so
 * nothing here allocates after construction.
 *
 * Only the active slave is spared. The kernel sends nothing on a device without carrier, so no switch goes to one. Only the carrier bit
 * is weighed. A device that is set down or gone is never spared.
 */
import { isSpared, LINK_CARRIER, LINK_HEALTHY, LINK_SPARED, LINK_UP } from '../policy/evaluate.js';
import { LOST, VERDICTS } from './arms.js';
import type { Verdicts } from './combine.js';

export class CombinedCarrier {
  readonly #verdicts: Verdicts;
  // By path.
  readonly #links = new Int32Array(2);
  readonly #told = new Int32Array(2);
  /**
   * 1 if the slave was given up and its carrier is not back. Detectors withdraw a verdict after a time so that the slave is tried
   * again. Such a withdrawal does not revive a slave without carrier.
   */
  readonly #given = new Int32Array(2);

  /** `verdicts` are those of the instance's detectors, all of which have to agree. */
  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  /** Takes in what was read of a link. @returns the link word for the detectors, in which a spared slave has carrier */
  look(path: number, link: number, active: number): number {
    const spared = path === active && link >= 0 && (link & LINK_HEALTHY) === LINK_UP;
    this.#links[path] = link;
    this.#told[path] = spared ? link | LINK_CARRIER | LINK_SPARED : link;
    if (!spared) this.#given[path] = 0;
    return this.#told[path]!;
  }

  /** Returns the link word for the policy. Runs after the turn of the detectors. */
  judge(path: number): number {
    const told = this.#told[path]!;
    if (!isSpared(told)) return told;
    if (this.#agreed(path)) this.#given[path] = 1;
    return this.#given[path] === 1 ? this.#links[path]! : told;
  }

  /** Returns those of the fallbacks allowed by verdicts alone that the programs may make. */
  allowed(arms: number): number {
    let bits = 0;
    for (let path = 0; path < 2; path++) {
      if (this.#agreed(path)) bits |= LOST[path]!;
      if (isSpared(this.#told[path]!)) bits |= VERDICTS[path]!;
    }
    return arms & bits;
  }

  /** True if a lost carrier is enough now. A slave that no detector watches needs no other agreement. */
  #agreed(path: number): boolean {
    return !this.#verdicts.isWatched(path) || this.#verdicts.combine(path) !== 0;
  }
}
