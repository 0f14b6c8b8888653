import { D_PROOF_MS, D_STATE, D_VERDICT, detectBase, STATE_OFF, STATE_OK } from './record.js';

/**
 * What the detectors of an instance together say of its paths. Asked for every path on every turn: nothing here allocates after
 * construction.
 */
export class Verdicts {
  readonly #records: Int32Array;
  /** A path is dead only if all detectors say so that watch it; otherwise if any does. */
  readonly #all: boolean;
  /** How many there are, and their records: first words, by path * count + detector. */
  readonly #count: number;
  readonly #bases: Int32Array;

  /** `detectors`: places in the table of those that the instance has. */
  constructor(records: Int32Array, slot: number, all: boolean, detectors: readonly number[]) {
    this.#records = records;
    this.#all = all;
    this.#count = detectors.length;
    this.#bases = Int32Array.from([0, 1].flatMap((p) => detectors.map((d) => detectBase(slot, p, d))));
  }

  /** Returns the CAUSE_* of the first detector that has a verdict on the path, if that is enough; else 0. */
  combine(path: number): number {
    const records = this.#records;
    let cause = 0;
    for (let i = path * this.#count, end = i + this.#count; i < end; i++) {
      const base = this.#bases[i]!;
      if (records[base + D_STATE] === STATE_OFF) continue;
      const verdict = records[base + D_VERDICT]!;
      if (verdict === 0) {
        if (this.#all) return 0;
      } else if (cause === 0) cause = verdict;
    }
    return cause;
  }

  /** True if any detector watches the path at present. */
  isWatched(path: number): boolean {
    for (let i = path * this.#count, end = i + this.#count; i < end; i++)
      if (this.#records[this.#bases[i]! + D_STATE] !== STATE_OFF) return true;
    return false;
  }

  /** True if the detector whose record of the path begins at `own` watches it at present. */
  watches(own: number): boolean {
    return this.#records[own + D_STATE] !== STATE_OFF;
  }

  /**
   * True if the verdict of the detector whose record begins at `own` is enough to leave the path: always with `any`, with `all` once every
   * other detector has one. Tier 0 may act on it then.
   */
  decides(path: number, own: number): boolean {
    if (!this.#all) return true;
    const records = this.#records;
    for (let i = path * this.#count, end = i + this.#count; i < end; i++) {
      const base = this.#bases[i]!;
      if (base !== own && records[base + D_STATE] !== STATE_OFF && records[base + D_VERDICT] === 0)
        return false;
    }
    return true;
  }

  /**
   * True if another detector than the one whose record begins at `own` has had an answer on the path after `sinceMs`, and is content with
   * it: the path lives, whatever that one thinks.
   */
  provenAlive(path: number, own: number, sinceMs: number): boolean {
    const records = this.#records;
    for (let i = path * this.#count, end = i + this.#count; i < end; i++) {
      const base = this.#bases[i]!;
      const proof = records[base + D_PROOF_MS]!;
      if (base !== own && records[base + D_STATE] === STATE_OK && proof !== 0 && ((proof - sinceMs) | 0) > 0)
        return true;
    }
    return false;
  }
}
