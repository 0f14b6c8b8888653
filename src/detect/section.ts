import { z } from 'zod';
import { choice, mapping } from '../fields.js';
import type { Section } from './detector.js';
import { type DetectorRow, ROWS, type Sections } from './table.js';

/** How faults are noticed that the link does not show: `detect` of an instance. A detector that has no key is off. */

const sections = Object.fromEntries(ROWS.map((d) => [d.key, d.section.exactOptional()])) as {
  [K in keyof Sections]: z.ZodExactOptional<Sections[K]>;
};

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
      ...sections,
    },
    { error: mapping },
  )
  .refine(
    (v) => v.carrier === 'alone' || (v.combine === 'all' && ROWS.some(({ key }) => v[key] !== undefined)),
    {
      path: ['carrier'],
      error: 'alone, for combined takes combine: all and a detector',
    },
  );

export type DetectConfig = z.output<typeof detectSchema>;

/** A detector that an instance has. */
export interface Configured {
  readonly row: DetectorRow;
  /** Its place in the table. */
  readonly number: number;
  /** Its section of the configuration. */
  readonly config: Section;
}

/** The detectors that the configuration asks for, in the table's order. */
export function configured(detect: Partial<DetectConfig>): Configured[] {
  return ROWS.flatMap((row, number) => {
    const config = detect[row.key];
    return config === undefined ? [] : [{ row, number, config }];
  });
}
