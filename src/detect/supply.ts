import type { DetectorSupply } from './detector.js';
import type { DetectorName } from './table.js';

/** What the supervisor supplies an instance's detectors with: a message to its worker. */
export interface Supply extends Omit<DetectorSupply, 'found'> {
  /** What host halves have found. */
  found: Partial<Record<DetectorName, unknown>>;
}

/** What the host halves of an instance's detectors have prepared. */
export type Prepared = Partial<Record<DetectorName, unknown>>;
