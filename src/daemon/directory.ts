import type { InstanceStatus } from '../api/index.js';
import { VfError } from '../errors.js';
import type { Shards } from '../shard/host.js';
import type { History } from './history.js';
import type { Managed } from './managed.js';
import { instanceStatus, waitingStatus } from './status.js';
import type { Waiting } from './waiting.js';

export interface DirectoryOptions {
  running: ReadonlyMap<string, Managed>;
  waiting: ReadonlyMap<string, Waiting>;
  shards: Shards;
  history: History;
}

/** Instances by name, those that run and those that wait: what clients ask for. */
export class Directory {
  readonly #o: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#o = options;
  }

  get names(): string[] {
    return [...this.#o.running.keys(), ...this.#o.waiting.keys()];
  }

  has(name: string): boolean {
    return this.#o.running.has(name) || this.#o.waiting.has(name);
  }

  /** Throws VfError INSTANCE_NOT_FOUND if no instance of that name runs. */
  find(name: string): Managed {
    const m = this.#o.running.get(name);
    if (m) return m;
    throw new VfError('INSTANCE_NOT_FOUND', `there is no running instance ${name}`, {
      field: 'name',
      value: name,
      fix: `instances: ${this.names.join(', ') || 'none'}`,
    });
  }

  statusOf(name: string): InstanceStatus {
    const { waiting, shards, history } = this.#o;
    const entry = waiting.get(name);
    return entry
      ? waitingStatus(entry, history.last(name))
      : instanceStatus(this.find(name), shards, history.last(name));
  }
}
