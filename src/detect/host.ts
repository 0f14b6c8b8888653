import type { ProgramVariables } from '../datapath/program-loader.js';
import type { Discovery, Surroundings } from './detector.js';
import { configured, type DetectConfig } from './section.js';
import type { Prepared } from './supply.js';
import { type DetectorName, ROWS } from './table.js';

/** The host halves of all detectors that have one, in the table's order. */
const HALVES = await Promise.all(ROWS.map((d) => d.host?.()));

/** Returns the constants that detectors set in the programs of an instance; `vf_detect` is not among them. */
export function detectorVariables(detect: DetectConfig): Partial<ProgramVariables> {
  const all = configured(detect).map((d) => HALVES[d.number]?.variables?.(d.config as never));
  return Object.assign({}, ...all) as Partial<ProgramVariables>;
}

/**
 * Returns what the workers' halves need from their beginning. `addresses`: those of the namespace.
 * Throws VfError CONFIG_INVALID for what the machine does not have.
 */
export function prepareDetectors(detect: DetectConfig, addresses: () => readonly string[]): Prepared {
  return Object.fromEntries(
    configured(detect).flatMap((d) => {
      const prepared = HALVES[d.number]?.prepare?.(d.config as never, addresses);
      return prepared === undefined ? [] : [[d.row.name, prepared]];
    }),
  );
}

/** Returns what the host halves find, by detector. */
export function findFor(
  detect: DetectConfig,
  around: Surroundings,
): Partial<Record<DetectorName, Discovery<unknown, unknown>>> {
  return Object.fromEntries(
    configured(detect).flatMap((d) => {
      const discovery = HALVES[d.number]?.find?.(d.config as never, around);
      return discovery === undefined ? [] : [[d.row.name, discovery]];
    }),
  );
}
