/** Health of a slave in words: the same ones in `status`, in `events`, in conditions and in refusals. Cold. */
import { CAUSE_NAMES, hasCarrier, LINK_UP, verdictOf } from './record.js';

/**
 * Health of a slave in one word. `up`: nothing is wrong with it. `admin-down`: it is set down. A cause's name (`unanswered`, `probe` …): its
 * link is up, and the detector of that cause says that it is dead.
 */
export type Health = 'up' | 'absent' | 'admin-down' | 'no-carrier' | (typeof CAUSE_NAMES)[number];

/** What a link word (LINK_*, above it a verdict) says of a slave. */
export function healthOf(link: number): Health {
  if (link < 0) return 'absent';
  if ((link & LINK_UP) === 0) return 'admin-down';
  if (!hasCarrier(link)) return 'no-carrier';
  const verdict = verdictOf(link);
  return verdict === 0 ? 'up' : (CAUSE_NAMES[verdict] ?? 'none');
}

interface Words {
  /** What is wrong with the slave: `the primary has no carrier`. */
  readonly fault: string;
  /** What has to happen: `primary must get carrier`. */
  readonly cure: string;
}

const LINK_WORDS: { readonly [health in Health]?: Words } = {
  absent: { fault: 'has no device', cure: 'must be plugged in and join' },
  'admin-down': { fault: 'is down', cure: 'must be set up' },
  'no-carrier': { fault: 'has no carrier', cure: 'must get carrier' },
};

const VERDICT_WORDS: Words = {
  fault: 'has carrier, but its detectors say that it is dead',
  cure: 'must satisfy its detectors',
};

const wordsOf = (health: Health): Words | undefined =>
  health === 'up' ? undefined : (LINK_WORDS[health] ?? VERDICT_WORDS);

/** In words, what is wrong with a slave of this health; undefined: nothing. */
export const faultOf = (health: Health): string | undefined => wordsOf(health)?.fault;

/** In words, what would make a slave of this health healthy; undefined: it is. */
export const cureOf = (health: Health): string | undefined => wordsOf(health)?.cure;
