import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Trial } from './faults.js';

/** Where and of what a trial was made. */
export interface TrialKey {
  kernel: string;
  primary: string;
  contender: string;
  fault: string;
}

export type TrialRecord = TrialKey & Trial & { at: string; git: string | null };

/** Trials on disk, a JSON line each: a run that was interrupted goes on where it stopped. */
export class TrialStore {
  readonly file: string;
  readonly records: TrialRecord[] = [];

  constructor(file: string, fresh: boolean) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true });
    if (fresh) rmSync(file, { force: true });
    if (!existsSync(file)) return;
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      // The last line of a run that was killed may be half a line.
      try {
        if (line !== '') this.records.push(JSON.parse(line) as TrialRecord);
      } catch {}
    }
  }

  add(record: TrialRecord): void {
    appendFileSync(this.file, `${JSON.stringify(record)}\n`);
    this.records.push(record);
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
