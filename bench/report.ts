import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Environment } from './environment.js';
import type { Summary } from './stats.js';

/** How a row was measured, and what a reader needs to judge it. */
export type Parameters = Record<string, unknown>;

interface Common {
  name: string;
  unit: string;
  /** What is aimed at, in words: `p50 ≤ 1.5`. */
  target?: string;
  /** Whether it was met. */
  ok?: boolean;
  parameters?: Parameters;
}

/** A distribution, or one value. What never happened is Infinity; JSON has no such number, so files say null. */
export type Row = Common & ((Summary & { value?: never }) | { value: number });

export interface Results {
  environment: Environment;
  /** Groups that did not end, and why: the run failed. */
  errors: { group: string; message: string }[];
  rows: Row[];
}

/** A bound on one figure of a row. */
export interface Target {
  of: 'p50' | 'p99' | 'max' | 'min' | 'value';
  atMost?: number;
  atLeast?: number;
}

/** Judges a row against bounds that must all hold. A figure that the row does not have misses. */
export function withTargets(row: Row, ...targets: Target[]): Row {
  const figures = row as Partial<Record<Target['of'], number>>;
  const holds = ({ of, atMost, atLeast }: Target): boolean => {
    const x = figures[of];
    return (
      x !== undefined && (atMost === undefined || x <= atMost) && (atLeast === undefined || x >= atLeast)
    );
  };
  const words = ({ of, atMost, atLeast }: Target): string =>
    `${of === 'value' ? '' : `${of} `}${atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`}`;
  return { ...row, target: targets.map(words).join(', '), ok: targets.every(holds) };
}

/** Three digits or more of a figure. */
export const number = (x: number): string => {
  if (Number.isInteger(x)) return String(x);
  const a = Math.abs(x);
  return x.toFixed(a >= 1000 ? 0 : a >= 100 ? 1 : a >= 1 ? 2 : 3);
};

/** The rows as an aligned table. A single value stands in the column of the medians. */
export function table(rows: readonly Row[]): string {
  const cells = [['', 'unit', 'n', 'min', 'p50', 'p99', 'max', 'target', 'ok']];
  for (const r of rows) {
    const verdict = [r.target ?? '', r.ok === undefined ? '' : r.ok ? 'yes' : 'NO'];
    if (r.value !== undefined) cells.push([r.name, r.unit, '', '', number(r.value), '', '', ...verdict]);
    else
      cells.push([
        r.name,
        r.unit,
        String(r.n),
        number(r.min),
        number(r.p50),
        number(r.p99),
        number(r.max),
        ...verdict,
      ]);
  }
  return columns(cells, new Set([0, 1, 7, 8]));
}

/** Lines of cells as aligned columns; those in `left` begin at the left. */
export function columns(cells: readonly (readonly string[])[], left: ReadonlySet<number>): string {
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells
    .map((line) =>
      line
        .map((c, i) => (left.has(i) ? c.padEnd(widths[i]!) : c.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function writeJson(file: string, content: object): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}

export const writeResults: (file: string, results: Results) => void = writeJson;
