import type { StreamKind } from '../../lab/netns/stream-kinds.js';
import type { WireKind } from '../../lab/netns/wire.js';
import type { Figures } from '../outage.js';
import { type Parameters, type Row, type Target, withTargets } from '../report.js';
import { median, summarize } from '../stats.js';

/** Who is meant to decide, and what is asked of it. */
export interface Mode {
  name: string;
  tier: 0 | 1;
  /** 1: guest to host, 3: both ways; one batch each. */
  directions: readonly (1 | 3)[];
  /** More kinds of streams, both ways. */
  kinds?: readonly StreamKind[];
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
const WAYS = { lostOut: 'guest → host', lostIn: 'host → guest' } as const;
/** A lab that was held up longer than this, µs, measured itself: ten frames. */
const DISTURBED_US = 100;

/**
 * The sender kept its time, and on tap the cutter was not held up between cutting the wire and taking its carrier. Neither looks at what
 * became of a frame.
 */
const undisturbed = (f: Figures, kind: WireKind): boolean =>
  f.senderUs <= DISTURBED_US && (kind === 'veth' || f.orderUs <= DISTURBED_US);

/** What a batch's rows begin with. Those of plain IPv4 keep their names over the versions. */
export const batchName = (kind: WireKind, mode: Mode, directions: 1 | 3, of: StreamKind): string =>
  `${kind}, ${mode.name}${directions === 3 ? ', both ways' : ''}${of === 'ipv4' ? '' : `, ${of}`}`;

function parametersOf(kind: WireKind, directions: 1 | 3, batch: Batch): Parameters {
  const tiers: Record<string, number> = {};
  for (const { tier } of batch.figures) tiers[tier ?? 'nobody'] = (tiers[tier ?? 'nobody'] ?? 0) + 1;
  return {
    pps_each_way: batch.pps,
    achieved_pps_p50: Math.round(median(batch.achievedPps)),
    achieved_pps_min: Math.round(Math.min(...batch.achievedPps)),
    directions: directions === 3 ? 'both' : 'guest to host',
    decided_by_tier: tiers,
    unrecovered: batch.figures.filter((f) => f.outageUs === null).length,
    duplicated: batch.duplicated,
    reordered: batch.reordered,
    refused_by_kernel: batch.refused,
    lost_outside_of_cuts: batch.lostElsewhere,
    fault_begins:
      kind === 'tap'
        ? 'with the order: from then on the wire delivers nothing'
        : 'with the first frame that the old path did not deliver',
  };
}

/** The table's rows. A cut that was not recovered from, or that nobody noticed, counts as endless. */
export function rowsOf(kind: WireKind, mode: Mode, directions: 1 | 3, of: StreamKind, batch: Batch): Row[] {
  const { figures } = batch;
  const prefix = batchName(kind, mode, directions, of);
  const parameters = parametersOf(kind, directions, batch);
  const row = (name: string, unit: string, of: (f: Figures) => number | null, among = figures): Row[] =>
    among.length < 2
      ? []
      : [
          {
            name: `${prefix}: ${name}`,
            unit,
            ...summarize(among.map((f) => of(f) ?? Number.POSITIVE_INFINITY)),
            parameters,
          },
        ];
  const outages = (name: string, among: Figures[]): Row[] =>
    row(`outage${name}`, 'µs', (f) => f.outageUs, among).map((r) => withTargets(r, ...mode.outage));
  const lost = (name: string, among: Figures[]): Row[] =>
    (['lostOut', 'lostIn'] as const)
      .filter((way) => directions === 3 || way === 'lostOut')
      .flatMap((way) => row(`lost, ${WAYS[way]}${name}`, 'frames', (f) => f[way], among))
      .map((r) => (mode.tier === 0 ? withTargets(r, { of: 'max', atMost: 4 }) : r));
  const calm = figures.filter((f) => undisturbed(f, kind));
  return [
    ...outages('', figures),
    ...outages(' (lab undisturbed)', calm),
    ...row(
      'outage, < 1 s after another change',
      'µs',
      (f) => f.outageUs,
      figures.filter((f) => f.apartMs < WITHIN_MS),
    ),
    ...row(
      'outage, > 1 s after',
      'µs',
      (f) => f.outageUs,
      figures.filter((f) => f.apartMs >= WITHIN_MS),
    ),
    ...row('detection', 'µs', (f) => f.detectionUs),
    ...row('switch', 'µs', (f) => f.switchUs),
    ...row('detection + switch', 'µs', (f) => f.flippedUs),
    ...lost('', figures),
    ...lost(' (lab undisturbed)', calm),
    ...row('silence', 'µs', (f) => f.silenceUs),
    ...row('silence, no fault', 'µs', (f) => f.calmUs),
    ...row('sender silent', 'µs', (f) => f.senderUs),
    ...row('the order to cut', 'µs', (f) => f.orderUs),
    ...row('lost at failback', 'frames', (f) => f.failbackLost),
  ];
}
