import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Environment } from '../environment.js';
import { type Row, withTargets } from '../report.js';
import { median, summarize } from '../stats.js';
import { contenders as all } from './contenders.js';
import { type Cost, FAULTS, PPS, WATCH_MS } from './faults.js';
import { MIGRATION } from './migration.js';
import type { TrialKey, TrialRecord } from './store.js';
import { TCP_FAULTS, TCP_WATCH_MS } from './tcp.js';

const DIRECTIONS = ['out', 'in'] as const;
type Direction = (typeof DIRECTIONS)[number];
const WORDS: Record<Direction, string> = { out: 'guest → net', in: 'net → guest' };
/** What a migration cost to the guest but for its standing still, in which every frame is lost. */
const BESIDE_THE_PAUSE = 'migration, beside the pause';
/** What ours aims at, frames lost at 1,000 frames per second (p50). */
const TARGETS: Record<string, number> = {
  carrier: 6,
  unplug: 2,
  failback: 2,
  planned: 0,
  [BESIDE_THE_PAUSE]: 5,
};

interface Cell {
  lost: number[];
  /** Infinity: it did not recover while it was watched. */
  outageMs: number[];
}

const keyOf = (r: TrialKey): string => [r.kernel, r.primary, r.fault, r.contender].join('\0');

function cellOf(records: readonly TrialRecord[], direction: Direction): Cell | undefined {
  const costs = records.flatMap((r): Cost[] => (r[direction] ? [r[direction]] : []));
  if (costs.length === 0) return undefined;
  return {
    lost: costs.map((c) => c.lost),
    outageMs: costs.map((c) => c.outage_ms ?? Number.POSITIVE_INFINITY),
  };
}

/** Of a migration, a second record without what the pause explains. */
function besideThePause(r: TrialRecord): TrialRecord[] {
  if (r.pause_ms === undefined || !r.in) return [];
  const lost = Math.round(10 * (r.in.lost - (r.pause_ms * PPS) / 1000)) / 10;
  return [{ ...r, fault: BESIDE_THE_PAUSE, out: null, in: { ...r.in, lost } }];
}

function grouped(records: readonly TrialRecord[]): Map<string, TrialRecord[]> {
  const groups = new Map<string, TrialRecord[]>();
  for (const r of records.flatMap((r) => [r, ...besideThePause(r)]))
    groups.set(keyOf(r), [...(groups.get(keyOf(r)) ?? []), r]);
  return groups;
}

/** The trials as rows of the form that `make bench` writes. */
export function rowsOf(records: readonly TrialRecord[]): Row[] {
  const rows: Row[] = [];
  for (const group of grouped(records).values()) {
    const stalls = stallsOf(group);
    if (stalls.length > 0) {
      const { kernel, primary, contender, fault } = group[0]!;
      const parameters = { kernel, primary, contender, fault };
      rows.push({
        name: `${primary}, ${fault}: ${contender}, stands still`,
        unit: 'ms',
        parameters,
        ...summarize(stalls),
      });
    }
    for (const direction of DIRECTIONS) {
      const cell = cellOf(group, direction);
      if (!cell) continue;
      const { kernel, primary, contender, fault } = group[0]!;
      const name = `${primary}, ${fault}, ${WORDS[direction]}: ${contender}`;
      const parameters = { kernel, primary, contender, fault, direction, pps: PPS };
      const lost: Row = { name: `${name}, lost`, unit: 'frames', parameters, ...summarize(cell.lost) };
      const aim = contender.startsWith('vfailover') ? TARGETS[fault] : undefined;
      rows.push(aim === undefined ? lost : withTargets(lost, { of: 'p50', atMost: aim }));
      if (fault !== BESIDE_THE_PAUSE)
        rows.push({ name: `${name}, outage`, unit: 'ms', parameters, ...summarize(cell.outageMs) });
    }
  }
  return rows;
}

const shown = (x: number): string =>
  Number.isFinite(x) ? (x >= 10 ? Math.round(x).toLocaleString('en') : String(x)) : '∞';

/** `7 (5–9)`: median, and the least and the most. "never" where most trials did not recover while they were watched. */
function text(cell: Cell | undefined): string {
  if (!cell) return '–';
  const s = summarize(cell.lost);
  const spread = s.min === s.max ? '' : ` (${shown(s.min)}–${shown(s.max)})`;
  return Number.isFinite(median(cell.outageMs)) ? `${shown(s.p50)}${spread}` : `never: ${shown(s.p50)}`;
}

const stallsOf = (records: readonly TrialRecord[]): number[] =>
  records.flatMap((r) => (r.stall_ms === undefined ? [] : [r.stall_ms ?? Number.POSITIVE_INFINITY]));

/** A row of standstills of TCP streams, ms. */
function stallText(records: readonly TrialRecord[]): string {
  const stalls = stallsOf(records);
  if (stalls.length === 0) return '–';
  const s = summarize(stalls);
  const spread = s.min === s.max ? '' : ` (${shown(s.min)}–${shown(s.max)})`;
  return Number.isFinite(s.p50) ? `${shown(s.p50)} ms${spread}` : 'never';
}

function tableOf(kernel: string, primary: string, groups: Map<string, TrialRecord[]>): string {
  const contenders = all().filter((c) =>
    [...groups.values()].some(
      ([r]) => r!.primary === primary && r!.kernel === kernel && r!.contender === c.name,
    ),
  );
  const lines = [
    ['fault', 'direction', ...contenders.map((c) => c.name)],
    ['---', '---', ...contenders.map(() => '---:')],
  ];
  for (const { name: fault } of [...FAULTS, MIGRATION, { name: BESIDE_THE_PAUSE }])
    for (const direction of DIRECTIONS) {
      const cells = contenders.map((c) =>
        cellOf(groups.get(keyOf({ kernel, primary, fault, contender: c.name })) ?? [], direction),
      );
      if (cells.some((c) => c)) lines.push([fault, WORDS[direction], ...cells.map(text)]);
    }
  for (const { name: fault } of TCP_FAULTS) {
    const of = (contender: string) => groups.get(keyOf({ kernel, primary, fault, contender })) ?? [];
    if (contenders.some((c) => of(c.name).length > 0))
      lines.push([fault, 'stands still', ...contenders.map((c) => stallText(of(c.name)))]);
  }
  return lines.map((l) => `| ${l.join(' | ')} |`).join('\n');
}

const MIGRATED = `vfailover is told to leave the primary before it is pulled (\`vfailover switch NAME standby\`, then \`auto\`), as whoever drives a migration
can do. net_failover takes no such order. QEMU announces a card that it emulates, and would not announce a real VF. So what it sends at the primary's
port when the guest resumes is swallowed, for all alike. \`make bench-vm ARGS='--fault migration --account'\` tells what happened when, and what was
lost between.
`;

/** Pauses of the machine itself in the migrations, which no failover can be blamed for. */
function pauses(records: readonly TrialRecord[]): string {
  const ms = records.flatMap((r) => (r.pause_ms === undefined ? [] : [r.pause_ms]));
  if (ms.length === 0) return '';
  const s = summarize(ms);
  return `The machine itself stood still for ${shown(s.p50)} ms (${shown(s.min)}–${shown(s.max)}) of each migration, from one QEMU's stop to the other's resuming.\n${MIGRATED}`;
}

/** From here on the document is written by hand, and kept. */
const REMARKS = '## About these trials';

function remarks(file: string): string[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const at = text.indexOf(REMARKS);
  return at < 0 ? [] : ['', text.slice(at).trimEnd()];
}

/** docs/peers.md: every trial there is, losses of ours like anyone's. */
export function peersDocument(file: string, records: readonly TrialRecord[], env: Environment): void {
  const groups = grouped(records);
  const kinds = [...new Set(records.map((r) => `${r.kernel}\0${r.primary}`))].map(
    (k) => k.split('\0') as [string, string],
  );
  const counts = [...groups.values()].map((g) => g.length);
  const of = new Set(records.map((r) => r.git));
  const parts = [
    '# Peers in the same guest',
    '',
    `The tables have frames lost, as the median (nearest rank) of ${Math.min(...counts)} to ${Math.max(...counts)} trials, with the least and the most. Numbered streams send`,
    `${PPS.toLocaleString('en')} frames per second each way, so a lost frame is a millisecond of outage.`,
    '',
    `- "never" says that the path did not recover in the ${WATCH_MS} ms that it was watched. The figure is what was lost then.`,
    '- "–" says that it cannot be done, or was not measured.',
    ...(records.some((r) => TCP_FAULTS.some((f) => f.name === r.fault))
      ? [
          `- Rows "TCP" have the longest time that a stream from the guest made no progress. "never" says that it stood still when ${TCP_WATCH_MS / 1000} s were over.`,
        ]
      : []),
    '',
    '`make bench-vm` makes them, and resumes where it was interrupted. `bench/results/vm-trials.jsonl` has every trial, `bench/results/vm.json` medians and',
    'outages. `bench/vm/faults.ts` has the method, and `bench/vm/contenders.ts` how each contender is set up.',
    '',
    `Guests ran under QEMU 10 in software emulation, with 2 CPUs, on Linux ${env.kernel.split('-')[0]} with ${env.cpus} CPUs (${[...of].filter(Boolean).join(', ')}). Emulation is 10 to 30`,
    'times slower than a machine and uneven, so compare within a row only.',
  ];
  for (const [kernel, primary] of kinds)
    parts.push('', `## ${primary} as primary, Linux ${kernel}`, '', tableOf(kernel, primary, groups));
  parts.push('', pauses(records), ...remarks(file));
  writeFileSync(file, `${parts.join('\n').trimEnd()}\n`);
}
