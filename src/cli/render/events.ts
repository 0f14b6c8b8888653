import type { Decision, ImpairmentRecord } from '../../api/types.js';
import { plain } from './colour.js';
import { table } from './table.js';
import { microseconds, span } from './units.js';

function route(decision: Decision): string {
  return `${decision.from ?? 'none'} → ${decision.to ?? 'none'}`;
}

/** A decision in a line: `carrier (tier 0), primary → standby in 41.3 µs: carrier of ens5 is off`. */
export function decisionLine(decision: Decision): string {
  const time = microseconds(decision.flipped_ns - decision.detected_ns);
  const signal = decision.signal === '' ? '' : `: ${plain(decision.signal)}`;
  return `${decision.cause} (tier ${decision.tier}), ${route(decision)} in ${time}${signal}`;
}

const COLUMNS = [
  { title: 'SEQ', right: true },
  { title: 'TIME' },
  { title: 'INSTANCE' },
  { title: 'CAUSE' },
  { title: 'TIER', right: true },
  { title: 'SWITCH' },
  // All three count from detection.
  { title: 'FLIPPED', right: true },
  { title: 'FIRST OUT', right: true },
  { title: 'FIRST IN', right: true },
  { title: 'SIGNAL' },
];

function row(decision: Decision): string[] {
  const { detected_ns: detected } = decision;
  return [
    String(decision.seq),
    decision.at,
    plain(decision.instance),
    decision.cause,
    String(decision.tier),
    route(decision),
    span(detected, decision.flipped_ns),
    span(detected, decision.first_frame_out_ns),
    span(detected, decision.first_frame_in_ns),
    plain(decision.signal),
  ];
}

/** Impairments have numbers of their own, which no option takes: their column stays empty. */
const impairmentRow = (r: ImpairmentRecord): string[] => [
  '',
  r.at,
  plain(r.instance),
  causeOf(r),
  ...['', '', '', '', ''],
  plain(r.impairment.message),
];

const causeOf = ({ over, impairment }: ImpairmentRecord): string => (over ? 'over' : impairment.severity);

/** Decisions and impairments as a table, oldest first. The three time columns count from detection. */
export function renderEvents(
  decisions: readonly Decision[],
  impairments: readonly ImpairmentRecord[] = [],
): string {
  const rows = [
    ...decisions.map((d) => ({ at: d.at, cells: row(d) })),
    ...impairments.map((r) => ({ at: r.at, cells: impairmentRow(r) })),
  ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return table(
    COLUMNS,
    rows.map((r) => r.cells),
  ).join('\n');
}

/** One more impairment below a table. */
export function renderImpairment(r: ImpairmentRecord): string {
  return `${r.at}  ${plain(r.instance)}  ${causeOf(r)}: ${plain(r.impairment.message)}`;
}

/** One more decision below a table whose widths are gone: single line, same order of facts. */
export function renderEvent(decision: Decision): string {
  return `${decision.seq}  ${decision.at}  ${plain(decision.instance)}  ${decisionLine(decision)}`;
}
