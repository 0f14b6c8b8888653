/**
 * Carrier as one of what is combined (`detect.carrier: combined`): while the slave in use has none, it is left only once all detectors that
 * watch it say so too, and for their verdicts only then. Pure, called on every turn: nothing here allocates after construction.
 *
 * Only the slave in use is spared. The kernel sends nothing on a device without carrier, so nobody goes to one; and only the carrier bit is
 * weighed, not that a device is set down or gone.
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
   * It was given up, and its carrier is not back. Detectors take a verdict back after a while, to have the path tried again: that says nothing
   * for one without carrier.
   */
  readonly #given = new Int32Array(2);

  /** `verdicts`: of the instance's detectors, all of which have to agree. */
  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  /** Takes in what was read of a link. @returns what detectors are told of it: to them a spared path has carrier */
  look(path: number, link: number, active: number): number {
    const spared = path === active && link >= 0 && (link & LINK_HEALTHY) === LINK_UP;
    this.#links[path] = link;
    this.#told[path] = spared ? link | LINK_CARRIER | LINK_SPARED : link;
    if (!spared) this.#given[path] = 0;
    return this.#told[path]!;
  }

  /** The link word that the policy gets, once the detectors have had their turn. */
  judge(path: number): number {
    const told = this.#told[path]!;
    if (!isSpared(told)) return told;
    if (this.#agreed(path)) this.#given[path] = 1;
    return this.#given[path] === 1 ? this.#links[path]! : told;
  }

  /** Of the fallbacks that the detectors' verdicts alone would allow, those that the programs may make. */
  allowed(arms: number): number {
    let bits = 0;
    for (let path = 0; path < 2; path++) {
      if (this.#agreed(path)) bits |= LOST[path]!;
      if (isSpared(this.#told[path]!)) bits |= VERDICTS[path]!;
    }
    return arms & bits;
  }

  /** True if carrier is all that the others wait for. Where nobody watches, it is by itself. */
  #agreed(path: number): boolean {
    return !this.#verdicts.isWatched(path) || this.#verdicts.combine(path) !== 0;
  }
}
