import { VfError } from '../errors.js';

/** A reference that has been taken and not yet given back. */
export interface HeldRef {
  /** Who holds it: `instance web0 primary`. */
  readonly holder: string;
  /** What is held: `device ens5 (ifindex 3)`, `map vf_steer`, `fd 12`. */
  readonly what: string;
  /** Where it was taken. */
  readonly stack: string;
}

/** Gives the reference back. */
export interface RefHandle extends HeldRef, Disposable {
  readonly released: boolean;
  /**
   * @throws VfError INTERNAL if it was released already: whoever does that is about to free something of
   *   another's.
   */
  release(): void;
}

/**
 * Who holds which netdev, map, program, link or fd, and where it was taken: the kernel's reference tracker
 * (lib/ref_tracker.c, net_failover since 095e200f17).
 */
export class RefTracker {
  readonly #held = new Set<RefHandle>();

  get size(): number {
    return this.#held.size;
  }

  /** Takes a reference. `using ref = tracker.hold(…)` gives it back at the end of the block. */
  hold(holder: string, what: string): RefHandle {
    const trace: { stack?: string } = {};
    Error.captureStackTrace(trace, this.hold);
    const held = this.#held;
    const handle: RefHandle = {
      holder,
      what,
      get stack() {
        return framesOf(trace.stack);
      },
      get released() {
        return !held.has(handle);
      },
      release() {
        if (held.delete(handle)) return;
        throw new VfError('INTERNAL', `${what} was released twice by ${holder}`, {
          field: holder,
          value: { what, taken: framesOf(trace.stack) },
          fix: 'report it with the stack of this error and that of `value.taken`',
        });
      },
      [Symbol.dispose]() {
        held.delete(handle);
      },
    };
    held.add(handle);
    return handle;
  }

  /** What is still held, oldest first; of one thing if `what` is given. */
  leaks(what?: string): HeldRef[] {
    return [...this.#held].filter((ref) => what === undefined || ref.what === what);
  }

  /** The leaks as text, each with where it was taken; empty if there are none. */
  report(): string {
    const leaks = this.leaks();
    if (leaks.length === 0) return '';
    const lines = leaks.map((ref) => `- ${ref.what}, held by ${ref.holder}, taken\n${ref.stack}`);
    return `${leaks.length} reference${leaks.length === 1 ? '' : 's'} not released:\n${lines.join('\n')}`;
  }
}

/** The frames of a stack, without its first line (`Error`), which says nothing here. */
function framesOf(stack: string | undefined): string {
  return (stack ?? '').split('\n').slice(1).join('\n');
}
