import type { SteeredModel } from '../datapath/layouts.js';
import { ROLES, type Role } from '../failover/device.js';
import type { JoinStep } from '../failover/transaction.js';
import { TAKEOVERS } from './table.js';
import type { Shortfall, SlaveContext, Takeover } from './takeover.js';

/** Longest time between two looks at what a slave must follow and no message tells of, ms. */
export const KEEP_MS = 80;

export interface KeeperOptions {
  model: SteeredModel;
  /** The facts of this moment; undefined: there is no slave in this role, or its device is gone. */
  context: (role: Role) => SlaveContext | undefined;
  /** Told after each look, with the takeover's name. */
  report: (takeover: string, shortfalls: readonly Shortfall[]) => void;
  takeovers?: readonly Takeover[];
}

/** Takeovers of one slave whose join step is done, each with what it last reported. */
type Kept = Map<Takeover, readonly Shortfall[]>;

/** Keeps the slaves of an instance what their master is: from the join to the leave. */
export class SlaveKeeper {
  readonly #o: KeeperOptions;
  readonly #takeovers: readonly Takeover[];
  readonly #kept: Record<Role, Kept> = { primary: new Map(), standby: new Map() };

  constructor(options: KeeperOptions) {
    this.#o = options;
    this.#takeovers = (options.takeovers ?? TAKEOVERS).filter((t) => t.models.includes(options.model));
  }

  /** The part of a join that brings the slave in line, a step for each takeover. `context`: the slave that joins. */
  steps(context: SlaveContext): JoinStep[] {
    const kept = this.#kept[context.role];
    let last = context;
    return this.#takeovers.map((takeover) => ({
      name: `take over ${takeover.name}`,
      do: () => {
        kept.set(takeover, takeover.follow(context));
        this.#report(takeover);
      },
      undo: (gone) => {
        kept.delete(takeover);
        last = (gone ? undefined : this.#o.context(context.role)) ?? last;
        takeover.restore(last, gone);
        this.#report(takeover);
      },
    }));
  }

  /** Looks at all takeovers. Called on each change of a device, and every KEEP_MS. */
  look(): void {
    for (const role of ROLES) {
      const kept = this.#kept[role];
      const context = kept.size === 0 ? undefined : this.#o.context(role);
      if (!context) continue;
      for (const [takeover, before] of kept) {
        const told = followed(takeover, context);
        if (told === before) continue;
        kept.set(takeover, told);
        this.#report(takeover);
      }
    }
  }

  /** What a takeover has to say of both slaves. */
  #report(takeover: Takeover): void {
    const all = ROLES.flatMap((role) => this.#kept[role].get(takeover) ?? []);
    this.#o.report(takeover.name, all);
  }
}

function followed(takeover: Takeover, context: SlaveContext): readonly Shortfall[] {
  try {
    return takeover.follow(context);
  } catch (e) {
    const { message, fix } = e as Error & { fix?: string };
    return [{ key: 'failed', severity: 'degraded', message, ...(fix !== undefined && { fix }) }];
  }
}
