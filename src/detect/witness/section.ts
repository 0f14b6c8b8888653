import { z } from 'zod';
import { integer, mapping } from '../../fields.js';
import { slavesSchema } from '../slaves.js';

/** `detect.witness` of an instance. */
export const witnessSchema = z.strictObject(
  {
    slaves: slavesSchema(),
    timeout_ms: integer(10, 600_000, 'ms')
      .default(3_000)
      .describe('ms that a slave must miss broadcasts that the other one receives'),
    min_frames: integer(1, 1000).default(3).describe('frames that it must miss at least'),
  },
  { error: mapping },
);

export type WitnessConfig = z.output<typeof witnessSchema>;
