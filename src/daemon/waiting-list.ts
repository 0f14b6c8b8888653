import type { PinStore } from '../datapath/store.js';
import { type Kept, keepWaiting, keptWaiting } from './kept.js';
import type { Log } from './log.js';
import type { Waiting } from './waiting.js';

/**
 * The instances that wait, by name. Those that stand in no file are kept in the pinned map, so that the next daemon knows them: they have
 * no slot while their master is gone.
 */
export class WaitingList {
  readonly all: ReadonlyMap<string, Waiting>;
  readonly #all = new Map<string, Waiting>();
  readonly #store: PinStore;
  readonly #log: Log;
  /** What was written last; undefined: an earlier daemon's list is still to be read. */
  #written: string | undefined;

  constructor(store: PinStore, log: Log) {
    this.all = this.#all;
    this.#store = store;
    this.#log = log;
  }

  set(entry: Waiting): void {
    this.#all.set(entry.config.name, entry);
    this.#keep();
  }

  /** True if there was one of that name. */
  delete(name: string): boolean {
    const there = this.#all.delete(name);
    if (there) this.#keep();
    return there;
  }

  clear(): void {
    this.#all.clear();
  }

  /** Offers each instance that waited when an earlier daemon ended to `enlist`. From then on the list is kept. */
  resume(enlist: (kept: Kept) => void): void {
    for (const kept of keptWaiting(this.#store)) enlist(kept);
    this.#written = '';
    this.#keep();
  }

  #keep(): void {
    if (this.#written === undefined) return;
    const all = [...this.#all.values()].filter(({ source }) => source !== 'file');
    const text = JSON.stringify(all.map(({ config, source }) => ({ config, source })));
    if (text === this.#written) return;
    this.#written = text;
    try {
      keepWaiting(this.#store, all);
    } catch (error) {
      this.#log.error({ error }, 'instances that wait will be unknown to the next daemon');
    }
  }
}
