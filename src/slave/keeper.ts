import type { Role } from '../device.js';
import type { VfError } from '../errors.js';
import type { Shortfall } from '../impairments.js';
import type { SteeredModel } from '../models/model.js';
import type { JoinStep } from '../registry/transaction.js';
import { TAKEOVERS, takeoversOf } from './table.js';
import { type SlaveContext, SlaveUnfit, type Takeover, type TakeoverKind } from './takeover.js';

/** Looks between two tries of a takeover that reports a shortfall. */
const TROUBLED_EVERY = 3;

export interface KeeperOptions {
  /** Traits of the instance's model. */
  traits: SteeredModel;
  /** Facts of this moment, for each slave that has joined and is not the master itself. */
  contexts: () => readonly SlaveContext[];
  /** Called after each look with the shortfalls. `source` names the takeover. */
  report: (source: string, shortfalls: readonly Shortfall[]) => void;
  /** Called when a slave must leave. */
  unfit: (role: Role, reason: VfError) => void;
  takeovers?: readonly TakeoverKind[];
}

/** A slave's takeovers, and those whose join step is done, with their last report. */
interface Kept {
  readonly all: readonly Takeover[];
  readonly done: Map<Takeover, readonly Shortfall[]>;
  last: SlaveContext;
  /** Number of changes at the last look. */
  seen: number;
  /** Takeovers to ask again soon. */
  readonly waiting: Set<Takeover>;
}

/** Keeps slaves in line with their master, from the join to the leave. */
export class SlaveKeeper {
  readonly #o: KeeperOptions;
  readonly #kinds: readonly TakeoverKind[];
  readonly #kept = new Map<Role, Kept>();
  #polls = 0;

  constructor(options: KeeperOptions) {
    this.#o = options;
    this.#kinds = options.takeovers ?? TAKEOVERS;
  }

  /**
   * Returns the join steps that bring the slave in line, one for each takeover. `early` ones come before the programs are on it, `late` ones
   * after. `context` is the joining slave's.
   */
  steps(context: SlaveContext): { early: JoinStep[]; late: JoinStep[] } {
    const all = takeoversOf(this.#o.traits, this.#kinds);
    const kept: Kept = { all, done: new Map(), last: context, seen: Number.NaN, waiting: new Set() };
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
        kept.waiting.delete(takeover);
        takeover.restore((gone ? undefined : this.#contextOf(role)) ?? kept.last, gone);
        this.#report(takeover, role, []);
      },
    };
  }

  #contextOf(role: Role): SlaveContext | undefined {
    return this.#o.contexts().find((c) => c.role === role);
  }

  #report(takeover: Takeover, role: Role, shortfalls: readonly Shortfall[]): void {
    const both = this.#o.traits.masterOwnsSlaves;
    this.#o.report(both ? `${takeover.name}/${role}` : takeover.name, shortfalls);
  }

  /** Looks at each slave of which something has changed since the last look. Called every KEEP_MS, after a look at `filters`. */
  poll(): void {
    const again = this.#polls++ % TROUBLED_EVERY === 0;
    for (const kept of this.#kept.values()) {
      if (kept.done.size === 0) continue;
      if (changesOf(kept.last) !== kept.seen) {
        this.look();
        return;
      }
      for (const takeover of kept.waiting) this.#follow(kept, takeover);
      if (!again) continue;
      for (const [takeover, told] of kept.done) if (told.length > 0) this.#follow(kept, takeover);
    }
  }

  /** Looks at all takeovers. Called on each change of a device. */
  look(): void {
    if (this.#kept.size === 0) return;
    for (const context of this.#o.contexts()) {
      const kept = this.#kept.get(context.role);
      if (kept !== undefined) this.#look(kept, context);
    }
  }

  #look(kept: Kept, context: SlaveContext): void {
    kept.last = context;
    // The count is taken first, so that a change during the look brings another look.
    kept.seen = changesOf(context);
    for (const takeover of kept.all) if (kept.done.has(takeover)) this.#follow(kept, takeover);
  }

  #follow(kept: Kept, takeover: Takeover): void {
    const { role } = kept.last;
    try {
      const told = takeover.follow(kept.last);
      if (takeover.waits?.(kept.last)) kept.waiting.add(takeover);
      else kept.waiting.delete(takeover);
      // The same list says the same.
      if (told === kept.done.get(takeover)) return;
      kept.done.set(takeover, told);
      this.#report(takeover, role, told);
    } catch (e) {
      if (e instanceof SlaveUnfit) {
        this.#o.unfit(role, e.reason);
        return;
      }
      const { message, fix } = e as Error & { fix?: string };
      const failed: Shortfall = {
        key: 'failed',
        severity: 'degraded',
        message,
        ...(fix !== undefined && { fix }),
      };
      // It counts as a takeover with a shortfall, so it is tried again.
      kept.done.set(takeover, [failed]);
      this.#report(takeover, role, [failed]);
    }
  }
}

/** Number of changes of anything that a takeover may look at. */
const changesOf = ({ changes, master, slave }: SlaveContext): number =>
  changes.links() +
  changes.link(master.ifindex) +
  changes.link(slave.ifindex) +
  changes.address(master.ifindex) +
  changes.address(slave.ifindex) +
  changes.qdisc(master.ifindex) +
  changes.qdisc(slave.ifindex) +
  changes.routes(slave.ifindex) +
  changes.filters(master.ifindex) +
  changes.filters(slave.ifindex);
