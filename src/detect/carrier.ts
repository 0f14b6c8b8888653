/**
 * Carrier as one of what is combined (`detect.carrier: combined`): while the slave in use has none, it is left only once all detectors that
 * watch it say so too, and for their verdicts only then. Pure, called on every turn: nothing here allocates after construction.
 *
 * Only the slave in use is spared. The kernel sends nothing on a device without carrier, so nobody goes to one; and only the carrier bit is
 * weighed, not that a device is set down or gone.
 */
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { isSpared, LINK_CARRIER, LINK_HEALTHY, LINK_SPARED, LINK_UP } from '../policy/evaluate.js';
import { COMBINE_ALL, combine, isWatched } from './combine.js';

const {
  VF_ARM_PRIMARY,
  VF_ARM_PRIMARY_BFD,
  VF_ARM_PRIMARY_SILENT,
  VF_ARM_STANDBY,
  VF_ARM_STANDBY_BFD,
  VF_ARM_STANDBY_SILENT,
} = VfArm;

/** Fallbacks from a path: for its lost link, and for a verdict. */
const LOST = [VF_ARM_PRIMARY, VF_ARM_STANDBY] as const;
const SILENT = [
  VF_ARM_PRIMARY_SILENT | VF_ARM_PRIMARY_BFD,
  VF_ARM_STANDBY_SILENT | VF_ARM_STANDBY_BFD,
] as const;

export class CombinedCarrier {
  // By path.
  readonly #links = new Int32Array(2);
  readonly #told = new Int32Array(2);
  /**
   * It was given up, and its carrier is not back. Detectors take a verdict back after a while, to have the path tried again: that says nothing
   * for one without carrier.
   */
  readonly #given = new Int32Array(2);

  /** Takes in what was read of a link. @returns what detectors are told of it: to them a spared path has carrier */
  look(path: number, link: number, active: number): number {
    const spared = path === active && link >= 0 && (link & LINK_HEALTHY) === LINK_UP;
    this.#links[path] = link;
    this.#told[path] = spared ? link | LINK_CARRIER | LINK_SPARED : link;
    if (!spared) this.#given[path] = 0;
    return this.#told[path]!;
  }

  /** The link word that the policy gets, once the detectors have had their turn. */
  judge(records: Int32Array, slot: number, path: number): number {
    const told = this.#told[path]!;
    if (!isSpared(told)) return told;
    if (this.#agreed(records, slot, path)) this.#given[path] = 1;
    return this.#given[path] === 1 ? this.#links[path]! : told;
  }

  /** Of the fallbacks that the detectors' verdicts alone would allow (`allowedArms`), those that the programs may make. */
  allowed(records: Int32Array, slot: number, arms: number): number {
    let bits = 0;
    for (let path = 0; path < 2; path++) {
      if (this.#agreed(records, slot, path)) bits |= LOST[path]!;
      if (isSpared(this.#told[path]!)) bits |= SILENT[path]!;
    }
    return arms & bits;
  }

  /** Whether carrier is all that the others wait for. Where nobody watches, it is by itself. */
  #agreed(records: Int32Array, slot: number, path: number): boolean {
    return !isWatched(records, slot, path) || combine(records, slot, path, COMBINE_ALL) !== 0;
  }
}
