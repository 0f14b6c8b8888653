/**
 * How often each slave's link has been lost since it was attached (bonding's link_failure_count). The int32 records lie in memory that the
 * decision worker shares with the supervisor. A loss is counted as bonding's link monitor does, when a link that was up loses carrier or is
 * set down. A slave that is pulled takes its count along. Verdicts of detectors have records of their own. Nothing here allocates.
 */
import { record } from '../record.js';
import { LINK_HEALTHY } from './record.js';

/** Words of a path's record; a power of two. */
const PATH_WORDS = 4;
/** Words of a slot: [path][word]. */
export const LINK_FAILURE_WORDS = 2 * PATH_WORDS;

const {
  ifindex: L_IFINDEX,
  up: L_UP,
  count: L_COUNT,
} = record('link-failures', PATH_WORDS, {
  /** The device that the count is of; 0: there is none. */
  ifindex: 1,
  /** 1: its link was up when it was last heard of. */
  up: 1,
  /** Wrapping. */
  count: 1,
});

const baseOf = (slot: number, path: number): number => slot * LINK_FAILURE_WORDS + path * PATH_WORDS;

/** Takes in a look. `link` has LINK_* bits, or is negative without a device. True if the look shows that the link is lost. */
export function sawLink(
  records: Int32Array,
  slot: number,
  path: number,
  ifindex: number,
  link: number,
): boolean {
  const base = baseOf(slot, path);
  if (records[base + L_IFINDEX] !== ifindex) {
    records[base + L_IFINDEX] = ifindex;
    records[base + L_UP] = 0;
    records[base + L_COUNT] = 0;
  }
  if (link < 0) return false;
  if ((link & LINK_HEALTHY) !== LINK_HEALTHY) return lostLink(records, slot, path);
  records[base + L_UP] = 1;
  return false;
}

/** Counts a loss that may be over already, since the programs act before anybody looks. True if it counts. A loss reported twice counts once. */
export function lostLink(records: Int32Array, slot: number, path: number): boolean {
  const base = baseOf(slot, path);
  if (records[base + L_UP] !== 1) return false;
  records[base + L_UP] = 0;
  records[base + L_COUNT] = (records[base + L_COUNT]! + 1) | 0;
  return true;
}

export function linkFailures(records: Int32Array, slot: number, path: number): number {
  return records[baseOf(slot, path) + L_COUNT]! >>> 0;
}

/** Clears the records of a slot, since the next instance may have the same slot and devices. */
export function forgetLinks(records: Int32Array, slot: number): void {
  records.fill(0, baseOf(slot, 0), baseOf(slot + 1, 0));
}
