import { JsonLines } from './json-lines.js';
import type { Row } from './report.js';

/** What rows must have in common to stand in one table. */
export interface RunKey {
  /** Of the source: see treeState. */
  tree: string;
  machine: string;
  quick: boolean;
  long: boolean;
}

/** The rows that one step of a group measured. */
export interface KeptStep extends RunKey {
  group: string;
  step: string;
  at: string;
  rows: Row[];
}

/** Rows of runs that have not come to their end, on disk as soon as they are measured. */
export class KeptRows {
  readonly #lines: JsonLines<KeptStep>;
  readonly #key: RunKey;

  constructor(file: string, key: RunKey) {
    this.#lines = new JsonLines(file);
    this.#key = key;
  }

  #ours(r: KeptStep): boolean {
    const { tree, machine, quick, long } = this.#key;
    return r.tree === tree && r.machine === machine && r.quick === quick && r.long === long;
  }

  /** Steps of these groups that this run can take over, and steps of another tree, machine or thoroughness that it cannot. */
  count(groups: readonly string[]): { ours: number; others: number } {
    const all = this.#lines.records.filter((r) => groups.includes(r.group));
    const ours = all.filter((r) => this.#ours(r)).length;
    return { ours, others: all.length - ours };
  }

  /** The rows of a step; undefined: it was not measured yet. */
  of(group: string, step: string): Row[] | undefined {
    const found = this.#lines.records.find((r) => r.group === group && r.step === step && this.#ours(r));
    return found?.rows.map(revive);
  }

  add(group: string, step: string, rows: Row[]): void {
    this.#lines.add({ ...this.#key, group, step, at: new Date().toISOString(), rows });
  }

  /** Forgets what this tree and machine measured in these groups. */
  forget(groups: readonly string[]): void {
    this.#lines.keep((r) => !(this.#ours(r) && groups.includes(r.group)));
  }
}

const FIGURES = ['min', 'p50', 'p99', 'max', 'value'] as const;

/** Takes back that JSON knows no Infinity. */
function revive(row: Row): Row {
  const figures = row as Partial<Record<(typeof FIGURES)[number], number | null>>;
  const endless = FIGURES.filter((f) => figures[f] === null).map((f) => [f, Number.POSITIVE_INFINITY]);
  return { ...row, ...Object.fromEntries(endless) } as Row;
}
