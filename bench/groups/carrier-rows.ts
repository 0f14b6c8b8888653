import type { WireKind } from '../../src/lab/wire.js';
import type { Figures } from '../outage.js';
import { type Parameters, type Row, type Target, withTargets } from '../report.js';
import { summarize } from '../stats.js';

/** Who is meant to decide, and what is asked of it. */
export interface Mode {
  name: string;
  tier: 0 | 1;
  /** 1: guest to host, 3: both ways; one batch each. */
  directions: readonly (1 | 3)[];
  outage: Target[];
}

/** All cuts of one mode on one kind of device. */
export interface Batch {
  figures: Figures[];
  pps: number;
  /** Of each stream, each way. */
  achievedPps: number[];
  duplicated: number;
  reordered: number;
  refused: number;
  /** Frames lost in no cut's window. */
  lostElsewhere: number;
}

const WITHIN_MS = 1000;

/** The table's rows. A cut that was not recovered from, or that nobody noticed, counts as endless. */
export function rowsOf(kind: WireKind, mode: Mode, directions: 1 | 3, batch: Batch): Row[] {
  const { figures } = batch;
  const prefix = `${kind}, ${mode.name}${directions === 3 ? ', both ways' : ''}`;
  const tiers: Record<string, number> = {};
  for (const { tier } of figures) tiers[tier ?? 'nobody'] = (tiers[tier ?? 'nobody'] ?? 0) + 1;
  const parameters: Parameters = {
    pps_each_way: batch.pps,
    achieved_pps: batch.achievedPps.map(Math.round),
    directions: directions === 3 ? 'both' : 'guest to host',
    decided_by_tier: tiers,
    unrecovered: figures.filter((f) => f.outageUs === null).length,
    duplicated: batch.duplicated,
    reordered: batch.reordered,
    refused_by_kernel: batch.refused,
    lost_outside_of_cuts: batch.lostElsewhere,
    fault_begins:
      kind === 'tap'
        ? 'with the order: from then on the wire delivers nothing'
        : 'with the first frame that the old path did not deliver',
  };
  const row = (name: string, unit: string, of: (f: Figures) => number | null, among = figures): Row[] =>
    among.length === 0
      ? []
      : [
          {
            name: `${prefix}: ${name}`,
            unit,
            ...summarize(among.map((f) => of(f) ?? Number.POSITIVE_INFINITY)),
            parameters,
          },
        ];
  const judged = (rows: Row[], ...targets: Target[]): Row[] => rows.map((r) => withTargets(r, ...targets));
  const lost = (name: string, of: (f: Figures) => number): Row[] => {
    const rows = row(name, 'frames', of);
    return mode.tier === 0 ? judged(rows, { of: 'max', atMost: 4 }) : rows;
  };
  const near = figures.filter((f) => f.apartMs < WITHIN_MS);
  const apart = figures.filter((f) => f.apartMs >= WITHIN_MS);
  return [
    ...judged(
      row('outage', 'µs', (f) => f.outageUs),
      ...mode.outage,
    ),
    ...row('outage, < 1 s after another change', 'µs', (f) => f.outageUs, near),
    ...row('outage, > 1 s after', 'µs', (f) => f.outageUs, apart),
    ...row('detection', 'µs', (f) => f.detectionUs),
    ...row('switch', 'µs', (f) => f.switchUs),
    ...lost(directions === 3 ? 'lost, guest → host' : 'lost', (f) => f.lostOut),
    ...(directions === 3 ? lost('lost, host → guest', (f) => f.lostIn) : []),
    ...row('silence', 'µs', (f) => f.silenceUs),
    ...row('silence, no fault', 'µs', (f) => f.calmUs),
    ...row('sender silent', 'µs', (f) => f.senderUs),
    ...row('the order to cut', 'µs', (f) => f.orderUs),
    ...row('lost at failback', 'frames', (f) => f.failbackLost),
  ];
}
