import { z } from 'zod';
import { choice, mapping } from '../fields.js';
import { bfdSchema } from './bfd/section.js';
import { probesSchema } from './probe/section.js';
import { unansweredSchema } from './unanswered/section.js';
import { witnessSchema } from './witness/section.js';

/** How faults are noticed that the link does not show: `detect` of an instance. A detector that has no key is off. */

export const detectSchema = z
  .strictObject(
    {
      combine: choice(['any', 'all'])
        .default('any')
        .describe('a slave is dead if any detector says so, or only if all do that watch it'),
      carrier: choice(['alone', 'combined'])
        .default('alone')
        .describe(
          'what a lost carrier is: alone, enough to leave the slave at once; combined, with combine: all, one more that has to agree',
        ),
      unanswered: unansweredSchema
        .describe('watchdog: frames that expect an answer are sent, and nothing is received')
        .exactOptional(),
      witness: witnessSchema
        .describe('broadcasts that one slave receives and the other one misses')
        .exactOptional(),
      probes: probesSchema.describe('questions to neighbours and hosts, asked on each slave').exactOptional(),
      bfd: bfdSchema
        .describe(
          'a BFD session (RFC 5881), or questions to an S-BFD reflector (RFC 7881), over the active slave',
        )
        .exactOptional(),
    },
    { error: mapping },
  )
  .refine(
    (v) =>
      v.carrier === 'alone' ||
      (v.combine === 'all' && (v.unanswered ?? v.witness ?? v.probes ?? v.bfd) !== undefined),
    { path: ['carrier'], error: 'alone, for combined takes combine: all and a detector' },
  );

export type DetectConfig = z.output<typeof detectSchema>;
