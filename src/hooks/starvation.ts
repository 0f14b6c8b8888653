/** Frames that a device must have carried past a program of ours before it counts as starved. */
const FRAMES = 10;
/** Samples older than this do not count: control frames that pass by us every few seconds are no traffic, ms. */
const WINDOW_MS = 5_000;

interface Sample {
  at: number;
  device: number;
  ours: number;
}

/**
 * Whether frames pass a device and do not reach our program there, since another one before it ends the chain. Nothing tells that of a
 * program from outside: the counts do.
 */
export class Starvation {
  /** Frames a second that pass the device by design, without our program: probes and BFD. */
  readonly #bypassing: number;
  #base: Sample | undefined;

  constructor(bypassing: number) {
    this.#bypassing = bypassing;
  }

  /** Takes in both counts at `at`, ms. True: starved; false: frames reach us; undefined: too few to tell. */
  sample(at: number, device: number, ours: number): boolean | undefined {
    const base = this.#base;
    if (base === undefined || at - base.at > WINDOW_MS || device < base.device || ours < base.ours) {
      this.#base = { at, device, ours };
      return undefined;
    }
    if (ours > base.ours) {
      this.#base = { at, device, ours };
      return false;
    }
    const passed = device - base.device;
    return passed >= FRAMES + 2 * ((at - base.at) / 1000) * this.#bypassing ? true : undefined;
  }
}
