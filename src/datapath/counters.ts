import { COUNT, COUNTERS_WORDS, RX, TX } from './offsets.js';

/** Frames and bytes as on the wire: a segmented frame counts once per segment. */
export interface TxCount {
  packets: number;
  bytes: number;
  /** Frames that had nowhere to go. */
  drops: number;
  /** Frames taken back from this path when it was found dead; they left on the other. */
  rerouted: number;
}

export interface RxCount {
  packets: number;
  bytes: number;
  drops: number;
  /** Multicast and broadcast that the other slave brought as well. */
  suppressed: number;
}

export interface PathCounters {
  tx: TxCount;
  rx: RxCount;
}

/** Reads per-CPU counters through the map's memory: no system call. */
export class CounterView {
  readonly #words: Uint32Array;
  readonly #cpus: number;

  constructor(buffer: ArrayBuffer, cpus: number) {
    this.#words = new Uint32Array(buffer);
    this.#cpus = cpus;
  }

  #sum(slot: number, offset: number): number {
    let n = 0;
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const at = (slot * this.#cpus + cpu) * COUNTERS_WORDS + offset;
      n += this.#words[at + 1]! * 4294967296 + this.#words[at]!;
    }
    return n;
  }

  /** Sums over CPUs. Values are exact up to 2^53. */
  read(slot: number, path: 0 | 1): PathCounters {
    const tx = TX[path]!;
    const rx = RX[path]!;
    return {
      tx: {
        packets: this.#sum(slot, tx + COUNT.packets),
        bytes: this.#sum(slot, tx + COUNT.bytes),
        drops: this.#sum(slot, tx + COUNT.drops),
        rerouted: this.#sum(slot, tx + COUNT.rerouted),
      },
      rx: {
        packets: this.#sum(slot, rx + COUNT.packets),
        bytes: this.#sum(slot, rx + COUNT.bytes),
        drops: this.#sum(slot, rx + COUNT.drops),
        suppressed: this.#sum(slot, rx + COUNT.rerouted),
      },
    };
  }

  /** Sets a free slot's counters to zero. Counters belong to the instance, not to a slave: they survive an unplug. */
  clear(slot: number): void {
    this.#words.fill(0, slot * this.#cpus * COUNTERS_WORDS, (slot + 1) * this.#cpus * COUNTERS_WORDS);
  }
}
