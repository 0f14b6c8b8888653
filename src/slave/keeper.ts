import type { SteeredModel } from '../datapath/layouts.js';
import type { VfError } from '../errors.js';
import type { Role } from '../failover/device.js';
import { MODELS } from '../failover/model.js';
import type { JoinStep } from '../failover/transaction.js';
import { TAKEOVERS } from './table.js';
import {
  type Shortfall,
  type SlaveContext,
  SlaveUnfit,
  type Takeover,
  type TakeoverKind,
} from './takeover.js';

/** Longest time between two looks at what a slave must follow and no message tells of, ms. */
export const KEEP_MS = 80;

export interface KeeperOptions {
  model: SteeredModel;
  /** The facts of this moment, of each slave that has joined and is not the master itself. */
  contexts: () => readonly SlaveContext[];
  /** Told after each look what is wrong; `source` names the takeover. */
  report: (source: string, shortfalls: readonly Shortfall[]) => void;
  /** A slave must leave. */
  unfit: (role: Role, reason: VfError) => void;
  takeovers?: readonly TakeoverKind[];
}

/** A slave's takeovers, and those of them whose join step is done, with what they last reported. */
interface Kept {
  readonly all: readonly Takeover[];
  readonly done: Map<Takeover, readonly Shortfall[]>;
  last: SlaveContext;
}

/** Keeps slaves what their master is: from the join to the leave. */
export class SlaveKeeper {
  readonly #o: KeeperOptions;
  readonly #kinds: readonly TakeoverKind[];
  readonly #kept = new Map<Role, Kept>();

  constructor(options: KeeperOptions) {
    this.#o = options;
    this.#kinds = options.takeovers ?? TAKEOVERS;
  }

  /**
   * The parts of a join that bring the slave in line, a step for each takeover: `early` ones before the programs are on it, `late` ones
   * after. `context`: the slave that joins.
   */
  steps(context: SlaveContext): { early: JoinStep[]; late: JoinStep[] } {
    const { model } = this.#o;
    const all = this.#kinds.map((make) => make()).filter((t) => t.models.includes(model));
    const kept: Kept = { all, done: new Map(), last: context };
    this.#kept.set(context.role, kept);
    const steps = (late: boolean): JoinStep[] =>
      all.filter((t) => (t.late === true) === late).map((t) => this.#step(kept, t));
    return { early: steps(false), late: steps(true) };
  }

  #step(kept: Kept, takeover: Takeover): JoinStep {
    const { role } = kept.last;
    return {
      name: `take over ${takeover.name}`,
      do: () => {
        try {
          const told = takeover.follow(kept.last);
          kept.done.set(takeover, told);
          this.#report(takeover, role, told);
        } catch (e) {
          takeover.restore(kept.last, false);
          throw e;
        }
      },
      undo: (gone) => {
        kept.done.delete(takeover);
        takeover.restore((gone ? undefined : this.#contextOf(role)) ?? kept.last, gone);
        this.#report(takeover, role, []);
      },
    };
  }

  #contextOf(role: Role): SlaveContext | undefined {
    return this.#o.contexts().find((c) => c.role === role);
  }

  #report(takeover: Takeover, role: Role, shortfalls: readonly Shortfall[]): void {
    const both = MODELS[this.#o.model].masterOwnsSlaves;
    this.#o.report(both ? `${takeover.name}/${role}` : takeover.name, shortfalls);
  }

  /** Looks at all takeovers. Called on each change of a device, and every KEEP_MS. */
  look(): void {
    if (this.#kept.size === 0) return;
    for (const context of this.#o.contexts()) {
      const kept = this.#kept.get(context.role);
      if (kept === undefined) continue;
      kept.last = context;
      for (const takeover of kept.all) if (kept.done.has(takeover)) this.#follow(kept, takeover);
    }
  }

  #follow(kept: Kept, takeover: Takeover): void {
    const { role } = kept.last;
    try {
      const told = takeover.follow(kept.last);
      // The same list again says the same.
      if (told === kept.done.get(takeover)) return;
      kept.done.set(takeover, told);
      this.#report(takeover, role, told);
    } catch (e) {
      if (e instanceof SlaveUnfit) {
        this.#o.unfit(role, e.reason);
        return;
      }
      kept.done.set(takeover, []);
      const { message, fix } = e as Error & { fix?: string };
      this.#report(takeover, role, [
        { key: 'failed', severity: 'degraded', message, ...(fix !== undefined && { fix }) },
      ]);
    }
  }
}
