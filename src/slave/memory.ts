import type { Role } from '../device.js';
import type { SlaveContext } from './takeover.js';
import type { UndoLog } from './undo-log.js';

/** What a takeover remembers between two looks at a slave. It may be lost at any time: the undo log is what outlives the daemon. */
export class Memory<T> {
  readonly #all = new WeakMap<UndoLog, Map<Role, { ifindex: number; value: T }>>();
  readonly #make: (context: SlaveContext) => T;

  /** `make`: what is remembered of a slave that is seen for the first time. */
  constructor(make: (context: SlaveContext) => T) {
    this.#make = make;
  }

  /** What is known of this slave. Another device in its role is a new one. */
  of(context: SlaveContext): T {
    const { undo, role, slave } = context;
    let roles = this.#all.get(undo);
    if (!roles) {
      roles = new Map();
      this.#all.set(undo, roles);
    }
    const known = roles.get(role);
    if (known?.ifindex === slave.ifindex) return known.value;
    const value = this.#make(context);
    roles.set(role, { ifindex: slave.ifindex, value });
    return value;
  }

  /** What is known of this slave; undefined: nothing. */
  peek({ undo, role, slave }: SlaveContext): T | undefined {
    const known = this.#all.get(undo)?.get(role);
    return known?.ifindex === slave.ifindex ? known.value : undefined;
  }

  forget({ undo, role }: SlaveContext): void {
    this.#all.get(undo)?.delete(role);
  }
}
