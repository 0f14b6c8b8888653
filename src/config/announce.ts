import { z } from 'zod';
import { integer, mapping } from '../fields.js';

/** What is told to switches and neighbours after a switch: `announce` of an instance. */

const delay = (standard: number, what: string) =>
  integer(0, 60_000, 'ms').default(standard).describe(`ms between two ${what}`);

const rejoinFields = z
  .strictObject(
    {
      // Both defaults are bonding's (resend_igmp).
      count: integer(0, 255).default(1).describe('rounds of reports after a switch; 0: none'),
      delay_ms: delay(200, 'rounds'),
    },
    { error: 'true, false or a mapping of keys to values' },
  )
  .meta({ type: ['boolean', 'object'] });

/** The short forms are written as the mapping, so that whatever is wrong in a mapping is told by its own field. */
const rejoinSchema = z.preprocess(
  (v: boolean | z.input<typeof rejoinFields>) => (v === true ? {} : v === false ? { count: 0 } : v),
  rejoinFields,
);

export const announceSchema = z.strictObject(
  {
    count: integer(0, 255).default(1).describe('announcements per address after a switch; 0: none'),
    delay_ms: delay(100, 'announcements'),
    rejoin: rejoinSchema
      .prefault(true)
      .describe(
        'IGMP and MLD reports of the groups that are joined, too, for switches that snoop multicast; true: one round, false: none',
      ),
  },
  { error: mapping },
);

export type AnnounceConfig = z.output<typeof announceSchema>;
