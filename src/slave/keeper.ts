import type { SteeredModel } from '../datapath/layouts.js';
import type { JoinStep } from '../failover/transaction.js';
import { TAKEOVERS } from './table.js';
import type { Shortfall, SlaveContext, Takeover } from './takeover.js';

/** Longest time between two looks at what a slave must follow and no message tells of, ms. */
export const KEEP_MS = 80;

export interface KeeperOptions {
  model: SteeredModel;
  /** The facts of this moment; undefined: there is no slave, or its device is gone. */
  context: () => SlaveContext | undefined;
  /** Told after each look, with the takeover's name. */
  report: (takeover: string, shortfalls: readonly Shortfall[]) => void;
  takeovers?: readonly Takeover[];
}

/** Keeps a slave what its master is: from the join to the leave. */
export class SlaveKeeper {
  readonly #o: KeeperOptions;
  readonly #takeovers: readonly Takeover[];
  /** Those whose join step is done. */
  readonly #kept = new Set<Takeover>();
  #last: SlaveContext | undefined;

  constructor(options: KeeperOptions) {
    this.#o = options;
    this.#takeovers = (options.takeovers ?? TAKEOVERS).filter((t) => t.models.includes(options.model));
  }

  /** The part of a join that brings the slave in line, a step for each takeover. `context`: the slave that joins. */
  steps(context: SlaveContext): JoinStep[] {
    return this.#takeovers.map((takeover) => ({
      name: `take over ${takeover.name}`,
      do: () => {
        this.#last = context;
        this.#o.report(takeover.name, takeover.follow(context));
        this.#kept.add(takeover);
      },
      undo: (gone) => {
        this.#kept.delete(takeover);
        takeover.restore((gone ? undefined : this.#o.context()) ?? this.#last ?? context, gone);
        this.#o.report(takeover.name, []);
      },
    }));
  }

  /** Looks at all takeovers. Called on each change of a device, and every KEEP_MS. */
  look(): void {
    if (this.#kept.size === 0) return;
    const context = this.#o.context();
    if (!context) return;
    this.#last = context;
    for (const takeover of this.#takeovers) {
      if (!this.#kept.has(takeover)) continue;
      try {
        this.#o.report(takeover.name, takeover.follow(context));
      } catch (e) {
        const { message, fix } = e as Error & { fix?: string };
        this.#o.report(takeover.name, [
          { key: 'failed', severity: 'degraded', message, ...(fix !== undefined && { fix }) },
        ]);
      }
    }
  }
}
