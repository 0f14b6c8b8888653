import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError, BpfMap } from 'bpf-loader-ts';
import type { Bfd } from '../../bpf/bfd.bpf.js';

const PIN = 'deadlines';

/**
 * The timer behind the deadline of a BFD session (bpf/bfd.bpf.c): it goes on, and tier 0 with it, while no daemon lives, since its map is
 * pinned in the instance's folder. A kernel that does not have timers leaves the deadline to the worker.
 */
export class BfdDeadline {
  readonly #object: Bfd | undefined;
  readonly #folder: string;
  /** Why there is none; undefined: there is. */
  readonly missing: string | undefined;

  /** `load` is given the map that an earlier daemon left, if it did. */
  constructor(folder: string, load: (map: BpfMap | undefined) => Bfd) {
    this.#folder = folder;
    const path = join(folder, PIN);
    const earlier = existsSync(path) ? BpfMap.fromPin(path) : undefined;
    try {
      this.#object = load(earlier);
      this.restorePin();
    } catch (e) {
      this.#object?.close();
      this.#object = undefined;
      if (!(e instanceof BpfError)) throw e;
      this.missing = `no timer in BPF (Linux 5.15): ${e.message.split('\n')[0]}`;
    } finally {
      earlier?.close();
    }
  }

  /** Descriptor of the program that starts the timer anew (BPF_PROG_TEST_RUN on any frame); -1: there is none. */
  get fd(): number {
    return this.#object?.programs.vf_bfd_watch.fd ?? -1;
  }

  /** Starts the timer anew for the session as it is in the map. */
  start(): void {
    this.#object?.programs.vf_bfd_watch.testRun({ data: new Uint8Array(14) });
  }

  /** True if somebody removed the pin. */
  get unpinned(): boolean {
    return this.#object !== undefined && !existsSync(join(this.#folder, PIN));
  }

  /** Pins the timer's map if its pin is not there. The pin's name. */
  restorePin(): string[] {
    if (!this.unpinned) return [];
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#object!.maps.deadlines.bytes.pin(join(this.#folder, PIN));
    return [PIN];
  }

  /** Lets go of the descriptors; the timer goes on. */
  close(): void {
    this.#object?.close();
  }

  /** Ends the timer of the instance with this folder. */
  static remove(folder: string): void {
    rmSync(join(folder, PIN), { force: true });
  }
}
