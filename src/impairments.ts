/** How much an impairment costs: `degraded` loses frames that the master should receive or send, `note` does not. */
export type Severity = 'degraded' | 'note';

/** What keeps a slave from being what its master is, in words for `status`. */
export interface Shortfall {
  /** Names it among those of its takeover: `group 33:33:00:00:00:01`. */
  readonly key: string;
  readonly severity: Severity;
  /** Names the device, what it refuses, and which frames will not come. */
  readonly message: string;
  readonly fix?: string;
}

/** Something that is not as it should be with an instance, as `status` shows it. */
export interface Impairment {
  /** Names it: `groups/33:33:00:00:00:01`. */
  key: string;
  /** `degraded`: frames that the master should send or receive are lost, or would be; `note`: nothing is lost. */
  severity: Severity;
  message: string;
  /** What to do about it; absent: nothing needs to be done, or can be. */
  fix?: string;
  /** When it was first seen, ISO 8601. */
  since: string;
}

/**
 * What keeps an instance from carrying all that its master should, gathered from whoever finds out. Setting the same again does
 * nothing, so it may be done at every look.
 */
export class Impairments {
  readonly #all = new Map<string, Impairment>();
  readonly #changed: (impairment: Impairment, over: boolean) => void;

  /** `changed` is told of each new or different impairment, and of its end. */
  constructor(changed: (impairment: Impairment, over: boolean) => void = () => {}) {
    this.#changed = changed;
  }

  set(key: string, { severity, message, fix }: Omit<Impairment, 'key' | 'since'>): void {
    const old = this.#all.get(key);
    if (old && old.message === message && old.severity === severity && old.fix === fix) return;
    const since = old?.since ?? new Date().toISOString();
    const now: Impairment = { key, severity, message, ...(fix !== undefined && { fix }), since };
    this.#all.set(key, now);
    this.#changed(now, false);
  }

  clear(key: string): void {
    const old = this.#all.get(key);
    if (!old) return;
    this.#all.delete(key);
    this.#changed(old, true);
  }

  /** Makes `shortfalls` all that `source` has to say: keys `SOURCE/KEY` that are not among them are cleared. */
  replace(source: string, shortfalls: readonly Shortfall[]): void {
    const prefix = `${source}/`;
    const keys = new Set(shortfalls.map((s) => prefix + s.key));
    for (const key of [...this.#all.keys()]) if (key.startsWith(prefix) && !keys.has(key)) this.clear(key);
    for (const { key, ...rest } of shortfalls) this.set(prefix + key, rest);
  }

  /** True if frames are lost, or would be. */
  get degraded(): boolean {
    return [...this.#all.values()].some((i) => i.severity === 'degraded');
  }

  /** All of them, the oldest first. */
  list(): Impairment[] {
    return [...this.#all.values()];
  }
}
