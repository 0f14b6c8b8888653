import type { Path } from '../failover/device.js';
import { readNs } from './line.js';
import { BFD, BFD_WORDS, bfdBase } from './offsets.js';

/** What the programs must know to recognise a session's packets. */
export interface BfdKey {
  discriminator: number;
  /** 4 or 16 bytes each, of one family. */
  local: Uint8Array;
  peer: Uint8Array;
  vlan: number | undefined;
}

/** Bytes of a packet that repeats itself, and where they lie in a session's entry. */
const EXPECT_BYTES = 24;

/** BFD sessions as mapped memory, over all slots, for the thread that runs them. Only `open` and `close` allocate. */
export class BfdMap {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  }

  /** From now on the programs take the session's packets, and hand over each. */
  open(slot: number, key: BfdKey): void {
    this.close(slot);
    const at = bfdBase(slot);
    this.#bytes.set(key.local, 4 * (at + BFD.local));
    this.#bytes.set(key.peer, 4 * (at + BFD.peer));
    this.#words[at + BFD.family] = key.local.length === 4 ? 4 : 6;
    this.#words[at + BFD.vlan] = key.vlan ?? 0;
    const discr = new DataView(new ArrayBuffer(4));
    discr.setUint32(0, key.discriminator);
    const wire = new Uint8Array(discr.buffer);
    Atomics.store(this.#words, at + BFD.discr, new Int32Array(wire.buffer)[0]!);
  }

  /** The programs know of no session any more; its packets go to the stack, as others do. */
  close(slot: number): void {
    const at = bfdBase(slot);
    Atomics.store(this.#words, at + BFD.quiet, 0);
    Atomics.store(this.#words, at + BFD.discr, 0);
    this.#words.fill(0, at, at + BFD_WORDS);
  }

  /** The session is in the worker's hands: every packet is handed over, and no deadline runs. */
  busy(slot: number): void {
    Atomics.store(this.#words, bfdBase(slot) + BFD.quiet, 0);
  }

  isQuiet(slot: number): boolean {
    return Atomics.load(this.#words, bfdBase(slot) + BFD.quiet) === 1;
  }

  /**
   * Lets the programs take in packets like the one at `from` of `packet`, and watch `path` for `detectNs` after `heardNs`. `flips`: they
   * may leave the path when that is over. The timer is to be started after this.
   */
  quiet(
    slot: number,
    packet: Uint8Array,
    from: number,
    path: Path,
    detectNs: number,
    heardNs: number,
    flips: boolean,
  ): void {
    const words = this.#words;
    const at = bfdBase(slot);
    this.busy(slot);
    const expect = 4 * (at + BFD.expect);
    for (let i = 0; i < EXPECT_BYTES; i++) this.#bytes[expect + i] = packet[from + i]!;
    words[at + BFD.path] = path;
    words[at + BFD.flips] = flips ? 1 : 0;
    this.#writeNs(at + BFD.detect_ns, detectNs);
    this.#writeNs(at + BFD.heard_ns, heardNs);
    Atomics.store(words, at + BFD.quiet, 1);
  }

  setFlips(slot: number, flips: boolean): void {
    this.#words[bfdBase(slot) + BFD.flips] = flips ? 1 : 0;
  }

  heardNs(slot: number): number {
    return readNs(this.#words, bfdBase(slot) + BFD.heard_ns);
  }

  firedNs(slot: number): number {
    return readNs(this.#words, bfdBase(slot) + BFD.fired_ns);
  }

  /** A count of the programs, unsigned. */
  count(slot: number, what: 'fired' | 'repeats' | 'handed' | 'low_ttl' | 'refused'): number {
    return this.#words[bfdBase(slot) + BFD[what]]! >>> 0;
  }

  #writeNs(at: number, ns: number): void {
    this.#words[at] = (ns % 4294967296) | 0;
    this.#words[at + 1] = Math.floor(ns / 4294967296);
  }
}
