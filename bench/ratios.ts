import { columns, number, type Row } from './report.js';
import { median } from './stats.js';

/** Within these bounds two trees count as equally fast. */
export const EQUAL = { least: 0.97, most: 1.03 } as const;

/** One figure (the median, or the value) of both trees. */
export interface Ratio {
  name: string;
  unit: string;
  /** Rounds in which both trees have it. */
  n: number;
  /** Medians over these rounds. */
  this: number;
  that: number;
  /** This tree over that one, of the same round: median, least and most. null: that tree's figure is 0 in a round, or endless. */
  ratio: number | null;
  least: number | null;
  most: number | null;
  /** Whether `ratio` lies within EQUAL; null: there is no ratio. */
  equal: boolean | null;
}

type Rounds = ReadonlyMap<number, readonly Row[]>;

/** A file says null for what never happened. */
const figure = (row: Row): number =>
  ((row.value ?? row.p50) as number | null | undefined) ?? Number.POSITIVE_INFINITY;

function byName(rounds: Rounds): Map<string, Map<number, Row>> {
  const found = new Map<string, Map<number, Row>>();
  for (const [round, rows] of rounds)
    for (const row of rows)
      found.set(row.name, (found.get(row.name) ?? new Map<number, Row>()).set(round, row));
  return found;
}

/** Compares the rows that both trees have in the same rounds, in the order in which this tree measured them. */
export function ratios(ours: Rounds, theirs: Rounds): Ratio[] {
  const others = byName(theirs);
  return [...byName(ours)].flatMap(([name, rows]): Ratio[] => {
    const pairs = [...rows].flatMap(([round, row]): { row: Row; a: number; b: number }[] => {
      const other = others.get(name)?.get(round);
      return other === undefined ? [] : [{ row, a: figure(row), b: figure(other) }];
    });
    if (pairs.length === 0) return [];
    const quotients = pairs.map(({ a, b }) => a / b);
    const comparable = quotients.every((q) => Number.isFinite(q) && q > 0);
    const ratio = comparable ? median(quotients) : null;
    return [
      {
        name,
        unit: pairs[0]!.row.unit,
        n: pairs.length,
        this: median(pairs.map(({ a }) => a)),
        that: median(pairs.map(({ b }) => b)),
        ratio,
        least: comparable ? Math.min(...quotients) : null,
        most: comparable ? Math.max(...quotients) : null,
        equal: ratio === null ? null : ratio >= EQUAL.least && ratio <= EQUAL.most,
      },
    ];
  });
}

export function ratioTable(rows: readonly Ratio[]): string {
  const shown = (x: number | null): string => (x === null ? '–' : x.toFixed(3));
  const cells = [['', 'unit', 'rounds', 'this', 'that', 'ratio', 'least', 'most', 'equal']];
  for (const r of rows)
    cells.push([
      r.name,
      r.unit,
      String(r.n),
      number(r.this),
      number(r.that),
      shown(r.ratio),
      shown(r.least),
      shown(r.most),
      r.equal === null ? '' : r.equal ? 'yes' : 'NO',
    ]);
  const judged = rows.filter((r) => r.equal !== null);
  const equal = judged.filter((r) => r.equal).length;
  return `${columns(cells, new Set([0, 1, 8]))}\n\nwithin ${EQUAL.least} … ${EQUAL.most}: ${equal} of ${judged.length}`;
}
