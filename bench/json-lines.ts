import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Records on disk, a JSON line each, written as they come: a run that is interrupted or killed loses none. */
export class JsonLines<T> {
  readonly file: string;
  #records: T[] = [];

  constructor(file: string) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(file)) return;
    const text = readFileSync(file, 'utf8');
    for (const line of text.split('\n')) {
      // A run that was killed may leave half a line at the end.
      try {
        if (line !== '') this.#records.push(JSON.parse(line) as T);
      } catch {}
    }
    // The next record must not continue that half line.
    if (text !== '' && !text.endsWith('\n')) this.#rewrite();
  }

  get records(): readonly T[] {
    return this.#records;
  }

  add(record: T): void {
    appendFileSync(this.file, `${JSON.stringify(record)}\n`);
    this.#records.push(record);
  }

  /** Keeps the records for which `wanted` holds, and only those. */
  keep(wanted: (record: T) => boolean): void {
    this.#records = this.#records.filter(wanted);
    this.#rewrite();
  }

  /** The file is whole at any time: the new one takes the old one's place at once. */
  #rewrite(): void {
    const next = `${this.file}.next`;
    writeFileSync(next, this.#records.map((r) => `${JSON.stringify(r)}\n`).join(''));
    renameSync(next, this.file);
  }
}
