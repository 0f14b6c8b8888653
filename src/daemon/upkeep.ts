import type { Shards } from '../shard/host.js';
import type { Log } from './log.js';
import type { Managed } from './managed.js';
import type { Namespace } from './namespace.js';

/** How often everything is looked at for which no notification is listened to, ms: groups, routes, speeds, macvlans in other namespaces. */
export const ADDRESSES_MS = 5_000;

export interface UpkeepOptions {
  managed: ReadonlyMap<string, Managed>;
  shards: Shards;
  log: Log;
}

/** What running instances need again and again: slaves that stay what their masters are, announcements and detectors that know what is so now. */
export class Upkeep {
  readonly #o: UpkeepOptions;

  constructor(options: UpkeepOptions) {
    this.#o = options;
  }

  /** Looks whether the slaves are still what their masters are. Called every KEEP_MS. */
  keep(): void {
    const looked = new Map<Namespace, boolean>();
    for (const m of this.#o.managed.values()) {
      if (!looked.has(m.ns)) looked.set(m.ns, m.ns.lookAtFilters());
      // A look meets the same fault, and tells.
      if (looked.get(m.ns)) m.poll();
      else m.keep();
    }
  }

  /** Called every ADDRESSES_MS. */
  refresh(): void {
    for (const m of this.#o.managed.values()) {
      this.prepareAnnouncement(m);
      m.readSpeeds();
      this.supply(m);
    }
  }

  readSpeeds(): void {
    for (const m of this.#o.managed.values()) m.readSpeeds();
  }

  /** What masters of a namespace announce may have changed. */
  announced(ns: Namespace): void {
    for (const m of this.#o.managed.values()) if (m.ns === ns) this.prepareAnnouncement(m);
  }

  /** The worker announces a switch itself, at once: this thread may be at its garbage. What it is to say is kept up to date here. */
  prepareAnnouncement({ announcer, datapath, ns }: Managed): void {
    const sends = announcer.prepare();
    if (sends) this.#o.shards.announce(datapath.slot, sends);
    if (announcer.bridged) ns.watchBridges();
  }

  /** Tells the worker what detectors need of the outside, if that is new. */
  supply(m: Managed): void {
    try {
      m.supplier.refresh(m.instance);
    } catch (error) {
      this.#o.log.warn({ instance: m.config.name, error }, 'detectors go on with what they have');
    }
  }
}
