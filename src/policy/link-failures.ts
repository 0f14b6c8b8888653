/**
 * How often each slave's link has been lost since it was attached (bonding's link_failure_count): int32 records in memory that the decision
 * worker shares with the supervisor. As bonding's link monitor counts: a link that was up and is not, be it without carrier or set down. A
 * slave that is pulled takes its count along; verdicts of detectors have records of their own. Nothing here allocates.
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

/** Takes in a look: `link` has LINK_* bits, or is negative where there is no device. True if it shows that the link is lost. */
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

/** The link is lost, or was: the programs act on a loss that may be over before anybody looks. Told twice it counts once. True if it counts. */
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

/** Another instance may have the slot next, with the same devices. */
export function forgetLinks(records: Int32Array, slot: number): void {
  records.fill(0, baseOf(slot, 0), baseOf(slot + 1, 0));
}
