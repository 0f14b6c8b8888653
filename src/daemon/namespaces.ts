import { netnsKey } from '../config/index.js';
import { inodeOf, Namespace } from './namespace.js';
import { NamespaceWatch } from './namespace-watch.js';

/** What the namespaces need of the supervisor. */
export interface NamespacesHost {
  /** How many instances one may hold. */
  readonly capacity: number;
  /** Starts a namespace that was opened, and listens to it. Whatever it throws, the namespace is closed. */
  begin(ns: Namespace): void;
  /** Stops listening. Called before a namespace is closed. */
  end(ns: Namespace): void;
  /** Resolves when the workers have let go of what was detached before. */
  settled(): Promise<unknown>;
  /** A word of the configuration names this namespace no more. `is`: true for that word. */
  lost(ns: Namespace, is: (netns: string | null) => boolean): void;
  /** A namespace, or a device in one, may be there now that was not. */
  found(): void;
}

type Counters = Record<'overruns' | 'resyncs' | 'messages', number>;

const keyOf = (netns: string | null): string => (netns === null ? HOME : netnsKey(netns));
/** Key of the daemon's own namespace. The process keeps that one alive anyway, and VFs arrive there. */
const HOME = '';

/** The namespaces that instances live in: each is opened when one names it, and let go when none does. */
export class Namespaces {
  readonly #host: NamespacesHost;
  /** By the configuration's word for it. Several words can name one namespace: one registry knows all who claim its devices. */
  readonly #named = new Map<string, Namespace>();
  readonly #paths = new NamespaceWatch((netns) => this.#replaced(netns));
  /** What the monitors of closed ones had counted. */
  readonly #past: Counters = { overruns: 0, resyncs: 0, messages: 0 };

  constructor(host: NamespacesHost) {
    this.#host = host;
  }

  /**
   * The namespace that a configuration names; null is the daemon's own. Its path is looked after from now on, also if there is none yet.
   * @throws VfError NETNS_NOT_FOUND; what starting it throws
   */
  open(netns: string | null): Namespace {
    const known = this.#named.get(keyOf(netns));
    if (known !== undefined) return known;
    if (netns !== null) this.#paths.add(netns);
    const inode = inodeOf(netns);
    const ns = [...this.#named.values()].find((n) => n.inode === inode) ?? this.#begin(netns);
    this.#named.set(keyOf(netns), ns);
    return ns;
  }

  #begin(netns: string | null): Namespace {
    const ns = new Namespace(netns, this.#host.capacity);
    try {
      this.#host.begin(ns);
      this.#listen(ns);
      return ns;
    } catch (e) {
      this.#host.end(ns);
      ns.close();
      throw e;
    }
  }

  #listen({ monitor }: Namespace): void {
    const found = (): void => this.#host.found();
    monitor.on('added', found);
    monitor.on('renamed', found);
    // What makes a device the kernel's failover master is that its standby belongs to it.
    monitor.on('changed', (d, before) => {
      if (d.master !== before.master) found();
    });
  }

  /** Lets go of every namespace that none of these words names: a descriptor or a socket keeps one alive that everybody else has left. */
  keepOnly(words: Iterable<string | null>): void {
    const wanted = new Set([...words].map(keyOf));
    this.#paths.keepOnly((netns) => wanted.has(keyOf(netns)));
    for (const [key, ns] of [...this.#named]) {
      if (key === HOME || wanted.has(key)) continue;
      this.#named.delete(key);
      this.#closeUnnamed(ns);
    }
  }

  /** A path names no namespace any more, or another one. */
  #replaced(netns: string): void {
    const key = keyOf(netns);
    const ns = this.#named.get(key);
    if (ns !== undefined) {
      this.#named.delete(key);
      this.#host.lost(ns, (word) => keyOf(word) === key);
      this.#closeUnnamed(ns);
    }
    this.#host.found();
  }

  #closeUnnamed(ns: Namespace): void {
    if ([...this.#named.values()].includes(ns)) return;
    this.#host.end(ns);
    for (const key of Object.keys(this.#past) as (keyof Counters)[])
      this.#past[key] += ns.monitor.counters[key];
    const close = (): void => ns.close();
    // The workers, too, must have let go of it.
    this.#host.settled().then(close, close);
  }

  /** Looks whether paths still name what they did. To be called every PATHS_MS. */
  look(): void {
    this.#paths.look();
  }

  /** What the monitors of all namespaces have counted since the daemon started. */
  get counters(): Counters {
    const sum = { ...this.#past };
    for (const { monitor } of new Set(this.#named.values()))
      for (const key of Object.keys(sum) as (keyof Counters)[]) sum[key] += monitor.counters[key];
    return sum;
  }

  /** Stops listening to all, and looking after paths. */
  end(): void {
    this.#paths.close();
    for (const ns of new Set(this.#named.values())) this.#host.end(ns);
  }

  /** To be called after `end`, when nothing uses any of them. */
  close(): void {
    for (const ns of new Set(this.#named.values())) ns.close();
    this.#named.clear();
  }
}
