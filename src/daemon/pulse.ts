import { KEEP_MS } from '../slave/takeover.js';

/** Time between two beats, ms. */
export const BEAT_MS = KEEP_MS;

/**
 * The one timer of everything that has to be looked at again and again. An idle daemon costs as much by waking as by looking, so looks that
 * are due together are made together.
 */
export class Pulse {
  readonly #looks: { every: number; look: () => void; fault?: string }[] = [];
  readonly #timer: NodeJS.Timeout;
  #beats = 0;

  readonly #failed: (error: unknown) => void;

  /** `failed` is told what a look has thrown, once as long as it throws the same: the others are made all the same, and the daemon lives. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref();
  }

  /** Calls `look` every so many ms: a multiple of BEAT_MS, or the nearest one. */
  add(ms: number, look: () => void): void {
    this.#looks.push({ every: Math.max(1, Math.round(ms / BEAT_MS)), look });
  }

  #beat(): void {
    this.#beats++;
    for (const each of this.#looks) {
      if (this.#beats % each.every !== 0) continue;
      try {
        each.look();
        delete each.fault;
      } catch (error) {
        const fault = (error as Error).message;
        if (fault !== each.fault) this.#failed(error);
        each.fault = fault;
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
