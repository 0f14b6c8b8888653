import type { KeptRows } from './kept-rows.js';
import type { Results, Row } from './report.js';

/** Thrown where the run stands when it was interrupted: everything open is closed on the way out. */
export class Interrupted extends Error {}

/**
 * The steps of a run: the parts that are measured, kept and reported each by itself. A step that an earlier, unfinished run has measured is not
 * measured again. A step that fails is reported, and the others go on.
 */
export class Steps {
  /** Failures so far. */
  readonly errors: Results['errors'] = [];
  /** How many steps were taken over from an earlier run. */
  reused = 0;
  readonly #kept: KeptRows;
  readonly #signal: AbortSignal;
  #group = '';

  constructor(kept: KeptRows, signal: AbortSignal) {
    this.#kept = kept;
    this.#signal = signal;
  }

  /** Measures a group by `run`, whose steps it names. What fails outside of its steps is a failure of the group. */
  async group(name: string, run: () => Promise<Row[]>): Promise<Row[]> {
    this.#group = name;
    return (await this.#attempt(() => name, run)) ?? [];
  }

  /** The rows of one step: those of an earlier run, or else what `measure` gives. Empty if it fails. */
  async one(step: string, measure: () => Promise<Row[]>): Promise<Row[]> {
    const kept = this.#kept.of(this.#group, step);
    if (kept !== undefined) {
      this.reused++;
      return kept;
    }
    const rows = await this.#attempt(() => `${this.#group}, ${step}`, measure);
    if (rows === undefined) return [];
    this.#kept.add(this.#group, step, rows);
    return rows;
  }

  /**
   * Steps that share what they are measured on. `setUp` makes that and takes each step by `one`; it is not called if an earlier run measured
   * all of them.
   */
  async shared(
    names: readonly string[],
    setUp: (one: (step: string, measure: () => Promise<Row[]>) => Promise<void>) => Promise<void>,
  ): Promise<Row[]> {
    const rows = new Map<string, Row[]>();
    const one = async (step: string, measure: () => Promise<Row[]>): Promise<void> =>
      void rows.set(step, await this.one(step, measure));
    const missing = (): string[] => names.filter((n) => this.#kept.of(this.#group, n) === undefined);
    if (missing().length > 0)
      await this.#attempt(
        () => [this.#group, ...missing()].join(', '),
        async () => {
          await setUp(one);
          return [];
        },
      );
    else for (const name of names) await one(name, async () => []);
    return names.flatMap((n) => rows.get(n) ?? this.#kept.of(this.#group, n) ?? []);
  }

  /** `what` is asked for when it has failed. */
  async #attempt(what: () => string, run: () => Promise<Row[]>): Promise<Row[] | undefined> {
    try {
      return await run();
    } catch (e) {
      if (e instanceof Interrupted || this.#signal.aborted) throw new Interrupted('interrupted');
      const message = e instanceof Error ? (e.stack ?? e.message) : String(e);
      const group = what();
      this.errors.push({ group, message });
      process.stderr.write(`${group} failed: ${message}\n`);
      return undefined;
    }
  }
}
