import type { DetectorName } from './record.js';

/** Why a detector gave its verdict. Plain data that survives JSON. */
export interface Evidence {
  detector: DetectorName;
  /** For a person: `37 frames unanswered for 1.02 ms`. */
  text: string;
  /** The same as numbers; keys carry their unit. */
  facts: Record<string, number>;
}
