import { Verdicts } from '../../src/detect/combine.js';
import { type DetectorName, ROWS } from '../../src/detect/table.js';

/** Places of the detectors in the table. */
export const NUMBER = Object.fromEntries(ROWS.map((d, i) => [d.name, i])) as Record<DetectorName, number>;

/** What all detectors of a slot say. */
export const verdictsOf = (records: Int32Array, slot: number, all = false): Verdicts =>
  new Verdicts(
    records,
    slot,
    all,
    ROWS.map((_, i) => i),
  );
