/** Counters of one device, by name. Names that are missing on one side count as 0. */
export type Counters = Readonly<Record<string, bigint>>;

const WRAP_32 = 1n << 32n;
const WRAP_64 = 1n << 64n;

/**
 * By how much a counter grew between two snapshots. A counter that went backwards either wrapped, at 32
 * bits if both values fit in them and else at 64, or was reset by its driver. It is a wrap if that makes
 * the step small (under half the range); otherwise it is a reset, and what was counted since is the value
 * itself. The kernel (net_failover_fold_stats) takes every step back of a small counter for a wrap, which
 * adds up to 4 G frames that never were.
 */
export function counterDelta(now: bigint, last: bigint): bigint {
  if (now >= last) return now - last;
  const range = last < WRAP_32 ? WRAP_32 : WRAP_64;
  const wrapped = now - last + range;
  return wrapped < range / 2n ? wrapped : now;
}

/**
 * Totals of a path that outlive its devices: fold on read, on leave and at link-down. `snapshot`
 * and `totals` are plain data, to be kept across a restart of the controller.
 */
export class FoldedCounters {
  readonly #totals = new Map<string, bigint>();
  #last: Counters | undefined;

  constructor(totals: Counters = {}, last?: Counters) {
    for (const [name, value] of Object.entries(totals)) this.#totals.set(name, value);
    this.#last = last;
  }

  /** A device joins: what it counted before is not ours. */
  start(now: Counters): void {
    this.#last = { ...now };
  }

  /** Adds what was counted since the last call. Without a device it does nothing. */
  fold(now: Counters): void {
    if (this.#last === undefined) return;
    for (const [name, value] of Object.entries(now)) {
      const delta = counterDelta(value, this.#last[name] ?? 0n);
      this.#totals.set(name, (this.#totals.get(name) ?? 0n) + delta);
    }
    this.#last = { ...this.#last, ...now };
  }

  /** The device leaves. Give the last reading if there is one: after an unplug there is none. */
  stop(now?: Counters): void {
    if (now !== undefined) this.fold(now);
    this.#last = undefined;
  }

  get totals(): Counters {
    return Object.fromEntries(this.#totals);
  }

  /** The reading that the next one is compared with; undefined between devices. */
  get snapshot(): Counters | undefined {
    return this.#last;
  }
}
