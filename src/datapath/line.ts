import { VfWord } from '../../bpf/vfailover.bpf.js';
import type { Path } from '../device.js';
import { LINE, LINE_WORDS } from './offsets.js';

const { VF_PATH_MASK, VF_EPOCH_ONE, VF_WORD_MASK } = VfWord;

/**
 * Steering lines as mapped memory: one Int32Array over all slots. These functions run in the worker's hot loop: they allocate nothing
 * and call nothing.
 */
export const lineBase = (slot: number): number => slot * LINE_WORDS;

export const readWord = (lines: Int32Array, base: number): number => Atomics.load(lines, base + LINE.word);

export const pathOf = (word: number): Path => (word & VF_PATH_MASK) as Path;

/** Flips so far, modulo 2^27. */
export const epochOf = (word: number): number => word >>> 4;

/** The word that follows `word` when `path` becomes active. */
export const nextWord = (word: number, path: Path): number =>
  (((word & ~VF_PATH_MASK) + VF_EPOCH_ONE) & VF_WORD_MASK) | path;

/** Makes `path` active if nobody flipped since `seen` was read. A stale writer gets false and changes nothing. */
export const flip = (lines: Int32Array, base: number, seen: number, path: Path): boolean =>
  Atomics.compareExchange(lines, base + LINE.word, seen, nextWord(seen, path)) === seen;

/** Lets tier 0 do what the bits say (VfArm). */
export const arm = (lines: Int32Array, base: number, bits: number): void => {
  Atomics.store(lines, base + LINE.armed, bits);
};
