import { monotonicNs } from 'bpf-loader-ts/sys';
import {
  D_SINCE_MS,
  D_STATE,
  DETECTORS,
  type DetectorName,
  detectBase,
  STATE_NAMES,
} from '../detect/record.js';
import type { Path } from '../failover/device.js';
import type { DetectorStatus } from './api/index.js';
import type { Managed } from './managed.js';

/** What a detector sees on a path, and what would change its mind, in words; undefined: it is not configured. */
export type Describe = (
  m: Managed,
  path: Path,
  records: Int32Array,
) => Pick<DetectorStatus, 'detail' | 'to_switch'> | undefined;

/** A new detector adds itself here. */
const DESCRIBE: Readonly<Partial<Record<DetectorName, Describe>>> = {};

/** The detectors that an instance's configuration asks for, as they stand for one of its paths. */
export function detectorStatus(m: Managed, path: Path, records: Int32Array): DetectorStatus[] {
  return DETECTORS.flatMap((name, kind) => {
    const words = DESCRIBE[name]?.(m, path, records);
    if (words === undefined) return [];
    const base = detectBase(m.datapath.slot, path, kind);
    const since = records[base + D_SINCE_MS]!;
    const ageMs = (((monotonicNs() / 1e6) | 0) - since) | 0;
    return [
      {
        name,
        state: STATE_NAMES[records[base + D_STATE]!] ?? 'off',
        since: since === 0 ? null : new Date(Date.now() - ageMs).toISOString(),
        ...words,
      },
    ];
  });
}
