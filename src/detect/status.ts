import type { Datapath } from '../datapath/datapath.js';
import { type Path, roleOf } from '../device.js';
import { D_SINCE_MS, D_STATE, type DetectorState, detectBase, STATE_NAMES } from './record.js';
import { type Configured, configured, type DetectConfig } from './section.js';
import { type DetectorName, ROWS } from './table.js';
import { watched } from './watched.js';

/** The status halves of all detectors, in the table's order. */
const HALVES = await Promise.all(ROWS.map((d) => d.status()));

/** What a detector says of a slave. */
export interface DetectorStatus {
  name: DetectorName;
  /** off: nothing to watch now; suspect: first signs of a fault; down: it wants the slave left. */
  state: DetectorState;
  /** When `state` last changed, ISO 8601; null: not since the daemon started. */
  since: string | null;
  /** In words: what it sees. */
  detail: string;
  /** In words: what would make it say down, or ok again. */
  to_switch: string;
}

/** An instance, as its detectors' status needs it. */
export interface Watcher {
  readonly detect: DetectConfig;
  readonly datapath: Datapath;
  /** What workers write (record.ts). */
  readonly records: Int32Array;
  /** What host halves found last. */
  readonly plans: Partial<Record<DetectorName, unknown>>;
  /** The policy's clock. */
  readonly nowMs: number;
}

/** Returns the detectors that the configuration asks for, as they stand for one path. */
export function detectorStatus(w: Watcher, path: Path): DetectorStatus[] {
  return configured(w.detect).map((d) => statusOf(w, path, d));
}

function statusOf(w: Watcher, path: Path, { row, number, config }: Configured): DetectorStatus {
  const { datapath, records, nowMs } = w;
  const half = HALVES[number]!;
  const base = detectBase(datapath.slot, path, number);
  const since = records[base + D_SINCE_MS]!;
  const plan = w.plans[row.name];
  const words = watched(config)[path]
    ? half.describe({ config: config as never, path, records, base, datapath, plan, nowMs })
    : {
        detail: ['not watched', half.unwatched].filter((s) => s !== undefined).join(', '),
        to_switch: `nothing: detect.${row.key}.slaves does not name the ${roleOf(path)}`,
      };
  return {
    name: row.name,
    state: STATE_NAMES[records[base + D_STATE]!] ?? 'off',
    since: since === 0 ? null : new Date(Date.now() - ((nowMs - since) | 0)).toISOString(),
    ...words,
  };
}
