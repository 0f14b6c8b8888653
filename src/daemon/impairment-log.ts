import type { ImpairmentRecord } from '../api/index.js';
import type { Impairment } from '../impairments.js';

/** The last beginnings and ends of impairments of all instances. */
export class ImpairmentLog {
  readonly #records: ImpairmentRecord[] = [];
  readonly #limit: number;
  #seq = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(instance: string, impairment: Impairment, over: boolean): ImpairmentRecord {
    const record = { seq: ++this.#seq, at: new Date().toISOString(), instance, over, impairment };
    this.#records.push(record);
    if (this.#records.length > this.#limit) this.#records.shift();
    return record;
  }

  list(filter: { name?: string; since?: number; limit?: number }): ImpairmentRecord[] {
    const { name, since = 0, limit = this.#limit } = filter;
    return this.#records
      .filter((r) => (name === undefined || r.instance === name) && r.seq > since)
      .slice(-limit);
  }
}
