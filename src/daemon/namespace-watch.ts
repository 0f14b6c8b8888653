import { type FSWatcher, statSync, watch } from 'node:fs';
import { netnsPath } from './namespace.js';

/** Where `ip netns` keeps names. A change there is seen at once. */
const NAMES = '/run/netns';
/** Other paths, such as /proc/PID/ns/net, are to be looked at so often, ms; and so is everything, should a notification be missing. */
export const PATHS_MS = 480;
/** `ip netns add` makes the name first and then puts the namespace there: looked at again after so many ms. */
const AGAIN_MS = [5, 30, 100];

/**
 * Looks after the paths that name namespaces: tells when one names nothing, or another namespace than it did. Holds none of them: a
 * descriptor would keep a namespace alive that everybody else has left.
 */
export class NamespaceWatch {
  readonly #known = new Map<string, number | undefined>();
  readonly #changed: (netns: string) => void;
  #names: FSWatcher | undefined;

  /** `changed` is told of each change, with the configuration's word for the namespace. */
  constructor(changed: (netns: string) => void) {
    this.#changed = changed;
  }

  /** From now on this namespace is looked after. */
  add(netns: string): void {
    if (this.#known.has(netns)) return;
    this.#known.set(netns, inodeOf(netns));
    this.#watchNames();
  }

  /** Looks after no others than those that `wanted` says yes to. */
  keepOnly(wanted: (netns: string) => boolean): void {
    for (const netns of this.#known.keys()) if (!wanted(netns)) this.#known.delete(netns);
  }

  /** Looks at all of them. To be called every PATHS_MS. */
  look(): void {
    this.#watchNames();
    for (const [netns, before] of [...this.#known]) {
      const now = inodeOf(netns);
      if (now === before) continue;
      this.#known.set(netns, now);
      this.#changed(netns);
    }
  }

  /** The folder is made with the first name. */
  #watchNames(): void {
    if (this.#names !== undefined || this.#known.size === 0) return;
    try {
      this.#names = watch(NAMES, { persistent: false }, () => {
        this.look();
        for (const ms of AGAIN_MS) setTimeout(() => this.look(), ms).unref();
      });
      this.#names.on('error', () => {
        this.#names?.close();
        this.#names = undefined;
      });
    } catch {
      // No such folder, or no inotify instance left: the interval finds changes, too.
    }
  }

  close(): void {
    this.#names?.close();
  }
}

/** Inode of the namespace that a path names; undefined: none. A name whose file is not a namespace yet has its own, of another device. */
function inodeOf(netns: string): number | undefined {
  try {
    const { ino, dev } = statSync(netnsPath(netns));
    return dev === statSync('/proc/self/ns/net').dev ? ino : undefined;
  } catch {
    return undefined;
  }
}
