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

/** A 64-bit nanosecond field as a double: exact for 104 days of uptime, to 2 ns after. */
export const readNs = (lines: Int32Array, at: number): number =>
  lines[at + 1]! * 4294967296 + (lines[at]! >>> 0);

/**
 * Writes a 64-bit nanosecond field that BPF reads, the high word first. Two stores: between them the value is wrong, so something else has to
 * keep the programs from reading it.
 */
export const writeNs = (words: Int32Array, at: number, ns: number): void => {
  Atomics.store(words, at + 1, Math.floor(ns / 4294967296));
  Atomics.store(words, at, (ns % 4294967296) | 0);
};
