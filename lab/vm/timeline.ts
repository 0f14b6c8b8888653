import { monotonicNs } from 'bpf-loader-ts/sys';
import type { Qmp } from '../../src/hypervisor/index.js';

/** Something that happened, ns of this host's CLOCK_MONOTONIC. */
export interface Moment {
  atNs: number;
  what: string;
}

/** What happened outside the guest, in the order of its times: what was asked of QEMU, and what QEMU told. */
export class Timeline {
  readonly #moments: Moment[] = [];
  readonly #ends: (() => void)[] = [];

  note(what: string, atNs = monotonicNs()): void {
    this.#moments.push({ atNs, what });
  }

  /** Notes every event of a QEMU from now on. */
  watch(who: string, qmp: Qmp): void {
    // QEMU stamps with the wall clock; when this process gets to read that is some milliseconds later.
    const wallNs = monotonicNs() - (performance.timeOrigin + performance.now()) * 1e6;
    this.#ends.push(
      qmp.onEvent(({ event, data, timestampUs }) => {
        const detail = data.status ?? data.device ?? data['device-id'] ?? '';
        this.note(`${who}: ${event} ${detail}`.trim(), timestampUs * 1e3 + wallNs);
      }),
    );
  }

  get moments(): Moment[] {
    return this.#moments.sort((a, b) => a.atNs - b.atNs);
  }

  /** When that was first noted; undefined: it was not. */
  at(what: string): number | undefined {
    return this.moments.find((m) => m.what === what)?.atNs;
  }

  close(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}
