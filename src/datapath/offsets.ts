import {
  VfBfd,
  VfCount,
  VfCounters,
  VfLine,
  VfProbe,
  VfProbePath,
  VfProbing,
  VfReflector,
  VfWatch,
} from '../../bpf/vfailover.bpf.js';

/**
 * Where the words (4 bytes) of mapped structures lie, for loops that index one typed array over all slots: what bpf2ts has in bytes.
 * Of 64-bit fields it is the low word.
 */
const words = <K extends string>(bytes: { readonly [P in K]: number }): { readonly [P in K]: number } =>
  Object.freeze(Object.fromEntries(Object.entries<number>(bytes).map(([k, at]) => [k, at >>> 2]))) as {
    readonly [P in K]: number;
  };

export const LINE = words(VfLine.offsets);
export const LINE_WORDS = VfLine.size >>> 2;

export const COUNT = words(VfCount.offsets);
export const COUNT_WORDS = VfCount.size >>> 2;
/** Of the counts of [primary, standby]. */
export const TX = [0, 1].map((path) => (VfCounters.offsets.tx + path * VfCount.size) >>> 2);
export const RX = [0, 1].map((path) => (VfCounters.offsets.rx + path * VfCount.size) >>> 2);
export const COUNTERS_WORDS = VfCounters.size >>> 2;

/** Of a path's watch: `watchBase(slot, path)` is its first word. */
export const WATCH = words(VfWatch.offsets);
export const WATCH_WORDS = VfWatch.size >>> 2;
export const watchBase = (slot: number, path: number): number => (slot * 2 + path) * WATCH_WORDS;

/** Probes and witness of a slot: the head at `probingBase(slot)`, a path's part, and a target as a path asks it. */
export const PROBING = words(VfProbing.offsets);
export const PROBE_PATH = words(VfProbePath.offsets);
export const PROBE = words(VfProbe.offsets);
export const PROBING_WORDS = VfProbing.size >>> 2;
export const probingBase = (slot: number): number => slot * PROBING_WORDS;
export const probePathBase = (slot: number, path: number): number =>
  slot * PROBING_WORDS + PROBING.path + path * (VfProbePath.size >>> 2);
/** `index` is path * VF_TARGETS + target. */
export const probeBase = (slot: number, index: number): number =>
  slot * PROBING_WORDS + PROBING.probe + index * (VfProbe.size >>> 2);
/** Of an instance's BFD session: `bfdBase(slot)` is its first word. */
export const BFD = words(VfBfd.offsets);
export const BFD_WORDS = VfBfd.size >>> 2;
export const bfdBase = (slot: number): number => slot * BFD_WORDS;

/** Of an instance's S-BFD reflector. */
export const REFLECTOR = words(VfReflector.offsets);
export const REFLECTOR_WORDS = VfReflector.size >>> 2;
export const reflectorBase = (slot: number): number => slot * REFLECTOR_WORDS;

/** An unsigned number as a word that lies in memory as it would on the wire. */
export function onWire(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return new Int32Array(view.buffer)[0]!;
}
