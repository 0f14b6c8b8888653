import type { Device, Part, Role } from '../device.js';
import type { VfError } from '../errors.js';
import type { FailoverInstance } from './instance.js';
import type { LeaveReason } from './ops.js';
import type { UndoFailure } from './transaction.js';

/** What a registry tells. `device` is a copy of the facts at that moment. */
export type FailoverEvent =
  | { readonly type: 'register'; readonly instance: FailoverInstance }
  | {
      readonly type: 'unregister';
      readonly instance: FailoverInstance;
      readonly reason: 'unregister' | 'master-removed';
      readonly undoFailures: readonly UndoFailure[];
    }
  | {
      readonly type: 'join';
      readonly instance: FailoverInstance;
      readonly device: Device;
      readonly role: Role;
    }
  | {
      readonly type: 'leave';
      readonly instance: FailoverInstance;
      readonly device: Device;
      readonly role: Role;
      readonly reason: LeaveReason;
      /** What could not be restored. */
      readonly undoFailures: readonly UndoFailure[];
    }
  | {
      readonly type: 'refused';
      readonly instance: FailoverInstance;
      readonly device: Device;
      readonly role: Role;
      readonly error: VfError;
      /** When it is tried again by itself; absent if only an event can change the answer. */
      readonly retryAtMs?: number;
    }
  | {
      readonly type: 'link';
      readonly instance: FailoverInstance;
      readonly device: Device;
      readonly part: Part;
      readonly ready: boolean;
    }
  | {
      readonly type: 'name';
      readonly instance: FailoverInstance;
      readonly device: Device;
      readonly part: Part;
      readonly oldName: string;
    }
  /** A call of the ops threw where it may not. The registry's own state is sound. */
  | {
      readonly type: 'fault';
      readonly instance: FailoverInstance | undefined;
      readonly where: string;
      readonly error: VfError;
    };

export type FailoverListener = (event: FailoverEvent) => void;

/**
 * Holds events back until the registry is consistent again, then delivers them in order. So a listener may
 * call anything, and one that throws harms neither the registry nor the other listeners.
 */
export class EventQueue {
  readonly #listeners = new Set<FailoverListener>();
  readonly #pending: FailoverEvent[] = [];
  readonly #wrap: (error: unknown) => VfError;

  /** @param wrap makes a VfError of what a listener threw. */
  constructor(wrap: (error: unknown) => VfError) {
    this.#wrap = wrap;
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: FailoverListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  push(event: FailoverEvent): void {
    this.#pending.push(event);
  }

  flush(): void {
    for (let event = this.#pending.shift(); event !== undefined; event = this.#pending.shift()) {
      for (const listener of [...this.#listeners]) this.#deliver(listener, event);
    }
  }

  #deliver(listener: FailoverListener, event: FailoverEvent): void {
    try {
      listener(event);
    } catch (error) {
      // A listener that throws on the report of a throw would keep us here for ever.
      if (event.type === 'fault') return;
      this.push({
        type: 'fault',
        instance: event.instance,
        where: `listener of "${event.type}"`,
        error: this.#wrap(error),
      });
    }
  }
}
