/** Health of a slave in words: the same ones in `status`, in `events`, in conditions and in refusals. Cold. */
import { hasCarrier, LINK_UP, verdictOf } from './record.js';

/**
 * Health of a slave in one word. `up`: nothing is wrong with it. `admin-down`: it is set down. `dead`: its link is up, and detectors say that
 * it is dead. `status` and `events` tell which (src/detect/health.ts).
 */
export type LinkHealth = 'up' | 'absent' | 'admin-down' | 'no-carrier' | 'dead';

/** What a link word (LINK_*, above it a verdict) says of a slave. */
export function healthOf(link: number): LinkHealth {
  if (link < 0) return 'absent';
  if ((link & LINK_UP) === 0) return 'admin-down';
  if (!hasCarrier(link)) return 'no-carrier';
  return verdictOf(link) === 0 ? 'up' : 'dead';
}

interface Words {
  /** The fault: `the primary has no carrier`. */
  readonly fault: string;
  /** The change that cures it: `primary must get carrier`. */
  readonly cure: string;
}

const WORDS: { readonly [health in LinkHealth]?: Words } = {
  absent: { fault: 'has no device', cure: 'must be plugged in and join' },
  'admin-down': { fault: 'is down', cure: 'must be set up' },
  'no-carrier': { fault: 'has no carrier', cure: 'must get carrier' },
  dead: {
    fault: 'has carrier, but its detectors say that it is dead',
    cure: 'must satisfy its detectors',
  },
};

/** In words, what is wrong with a slave of this health; undefined: nothing. */
export const faultOf = (health: LinkHealth): string | undefined => WORDS[health]?.fault;

/** In words, what would make a slave of this health healthy; undefined: it is. */
export const cureOf = (health: LinkHealth): string | undefined => WORDS[health]?.cure;
