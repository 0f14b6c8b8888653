import { type LinkHealth, healthOf as linkHealthOf } from '../policy/health.js';
import { verdictOf } from '../policy/record.js';
import { type DetectorName, detectorOf } from './table.js';

/** Health of a slave in one word, where a detector's name stands for its verdict: `unanswered`, `probe` … */
export type Health = Exclude<LinkHealth, 'dead'> | DetectorName;

/** What a link word (LINK_*, above it a verdict) says of a slave. */
export function healthOf(link: number): Health {
  const health = linkHealthOf(link);
  // A verdict is always that of a row.
  return health === 'dead' ? detectorOf(verdictOf(link))!.name : health;
}
