/** Health of a slave in words, shared by `status`, `events`, conditions and refusals. Cold. */
import { CAUSE_NAMES, hasCarrier, LINK_UP, verdictOf } from './record.js';

/**
 * Health of a slave in one word. `up`: nothing is wrong. `admin-down`: the slave is set down. A cause's name (`unanswered`, `probe` …): the
 * link is up, and the detector of that cause says that the slave is dead.
 */
export type Health = 'up' | 'absent' | 'admin-down' | 'no-carrier' | (typeof CAUSE_NAMES)[number];

/** Returns the health that a link word (LINK_*, above it a verdict) describes. */
export function healthOf(link: number): Health {
  if (link < 0) return 'absent';
  if ((link & LINK_UP) === 0) return 'admin-down';
  if (!hasCarrier(link)) return 'no-carrier';
  const verdict = verdictOf(link);
  return verdict === 0 ? 'up' : (CAUSE_NAMES[verdict] ?? 'none');
}

interface Words {
  /** The fault: `the primary has no carrier`. */
  readonly fault: string;
  /** The change that cures it: `primary must get carrier`. */
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

/** Returns in words the fault of a slave of this health. undefined: none. */
export const faultOf = (health: Health): string | undefined => wordsOf(health)?.fault;

/** Returns in words the change that would make a slave of this health healthy. undefined: it is healthy. */
export const cureOf = (health: Health): string | undefined => wordsOf(health)?.cure;
