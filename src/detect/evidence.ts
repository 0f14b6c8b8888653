import type { Finding } from './detector.js';
import type { DetectorName } from './table.js';

/** Why a detector gave its verdict, and which. Plain data that survives JSON. */
export interface Evidence extends Finding {
  detector: DetectorName;
}
