import { JsonLines } from '../json-lines.js';
import type { Trial } from './faults.js';

/** Where and of what a trial was made. */
export interface TrialKey {
  kernel: string;
  primary: string;
  contender: string;
  fault: string;
}

export type TrialRecord = TrialKey & Trial & { at: string; git: string | null };

/** Trials on disk: a run that was interrupted goes on where it stopped. */
export class TrialStore {
  readonly #lines: JsonLines<TrialRecord>;

  constructor(file: string, fresh: boolean) {
    this.#lines = new JsonLines(file);
    if (fresh) this.#lines.keep(() => false);
  }

  get records(): readonly TrialRecord[] {
    return this.#lines.records;
  }

  add(record: TrialRecord): void {
    this.#lines.add(record);
  }

  of(key: TrialKey): TrialRecord[] {
    return this.records.filter(
      (r) =>
        r.kernel === key.kernel &&
        r.primary === key.primary &&
        r.contender === key.contender &&
        r.fault === key.fault,
    );
  }
}
