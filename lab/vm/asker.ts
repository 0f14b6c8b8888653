import { setTimeout as sleep } from 'node:timers/promises';
import { type Heard, read } from './frames.js';
import type { FarSide, Wire } from './wire.js';

/** The port of a wire where an asker is. */
export const ASKER_PORT = 'asker';
export const ASKER_MAC = '52:54:00:76:66:aa';
/** How often an asker looks for answers, ms. */
const LOOK_MS = 2;
const FRAME_MAX = 2048;
/** Shortest frame without its checksum (IEEE 802.3), bytes. */
const FRAME_MIN = 60;

/** A station of a wire with whole frames in its hand: it asks what no stack would ask by itself, and sees tags. */
export class Asker {
  readonly #side: FarSide;
  readonly #bytes = new Uint8Array(FRAME_MAX);

  /** At the port `asker`, which the wire must have. */
  constructor(wire: Wire) {
    this.#side = wire.farSide(ASKER_PORT);
  }

  /** Sends a frame and waits for its answer. False if none came within `ms`. */
  async ask(frame: Uint8Array, answers: (heard: Heard) => boolean, ms: number): Promise<boolean> {
    this.#forget();
    const until = performance.now() + ms;
    this.tell(frame);
    for (;;) {
      for (let heard = this.#next(); heard; heard = this.#next()) if (answers(heard)) return true;
      if (performance.now() > until) return false;
      await sleep(LOOK_MS);
    }
  }

  /** Sends a frame that wants no answer. */
  tell(frame: Uint8Array): void {
    const padded = new Uint8Array(Math.max(frame.length, FRAME_MIN));
    padded.set(frame);
    this.#side.send(padded);
  }

  /** What came before a question is no answer to it. */
  #forget(): void {
    while (this.#side.receive(this.#bytes) > 0);
  }

  #next(): Heard | undefined {
    const length = this.#side.receive(this.#bytes);
    return length < 14 ? undefined : read(Buffer.from(this.#bytes.subarray(0, length)));
  }

  close(): void {
    this.#side.close();
  }
}
