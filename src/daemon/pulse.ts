import { KEEP_MS } from '../slave/takeover.js';

/** Time between two beats, ms. */
export const BEAT_MS = KEEP_MS;

/**
 * The one timer of everything that has to be looked at again and again. An idle daemon costs as much by waking as by looking, so looks that
 * are due together are made together.
 */
export class Pulse {
  readonly #looks: { every: number; look: () => void }[] = [];
  readonly #timer: NodeJS.Timeout;
  #beats = 0;

  constructor() {
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref();
  }

  /** Calls `look` every so many ms: a multiple of BEAT_MS, or the nearest one. */
  add(ms: number, look: () => void): void {
    this.#looks.push({ every: Math.max(1, Math.round(ms / BEAT_MS)), look });
  }

  #beat(): void {
    this.#beats++;
    for (const { every, look } of this.#looks) if (this.#beats % every === 0) look();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
