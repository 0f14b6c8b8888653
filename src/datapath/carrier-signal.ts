import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attachTracing, BpfError, haveFentry, type Link } from 'bpf-loader-ts';
import type { Carrier } from '../../bpf/carrier.bpf.js';
import { hasCapability } from './capabilities.js';

/**
 * The program behind a driver's report of a lost carrier (bpf/carrier.bpf.c), as a link pinned in the instance's folder: tier 0 without a
 * frame. A kernel or a lack of privileges that does not allow it costs the instance nothing else.
 */
export class CarrierSignal {
  readonly #pin: string;
  readonly #folder: string;
  /** Held, so that the program stays when somebody removes the pin. */
  #link: Link | undefined;
  /** Why there is none; undefined: there is. */
  readonly missing: string | undefined;

  /** `load` is called where tracing is allowed. A link that an earlier daemon left is replaced. */
  constructor(folder: string, load: () => Carrier) {
    this.#pin = join(folder, 'carrier');
    this.#folder = folder;
    this.missing = this.#attach(load);
  }

  #attach(load: () => Carrier): string | undefined {
    if (!hasCapability('perfmon')) return 'CAP_PERFMON is missing';
    const fentry = haveFentry();
    if (fentry.answer !== 'supported') return fentry.detail;
    try {
      using object = load();
      const link = attachTracing(object.programs.vf_carrier_off);
      // Two at once do no harm: the second flip finds another epoch.
      this.remove();
      this.#link = link;
      this.restorePin();
      return undefined;
    } catch (e) {
      if (e instanceof BpfError) return e.message.split('\n')[0];
      throw e;
    }
  }

  /** True if somebody removed the pin. */
  get unpinned(): boolean {
    return this.#link !== undefined && !existsSync(this.#pin);
  }

  /** Pins the link if its pin is not there. The pin's name. */
  restorePin(): string[] {
    if (!this.unpinned) return [];
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#link!.pin(this.#pin);
    return ['carrier'];
  }

  /** Takes the program away: a link of this kind ends with its last reference. */
  remove(): void {
    rmSync(this.#pin, { force: true });
    this.release();
  }

  /** Closes the descriptor. What is pinned stays. */
  release(): void {
    this.#link?.close();
    this.#link = undefined;
  }
}
