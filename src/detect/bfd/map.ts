import { BFD, BFD_WORDS, bfdBase, onWire } from '../../datapath/offsets.js';
import { readNs, u64View, writeNs } from '../../datapath/u64.js';
import type { Path } from '../../device.js';
import { BFD_MAX, BFD_PORT, BFD_TTL } from './packet.js';

/** What the programs must know to recognise a session's packets. */
export interface BfdKey {
  discriminator: number;
  /** 4 or 16 bytes each, of one family. */
  local: Uint8Array;
  peer: Uint8Array;
  vlan: number | undefined;
  /** Of the master. */
  mac: Uint8Array;
  /** UDP port that its packets come to; BFD_PORT by default. */
  port?: number;
  /** The only one that they come from; absent: any of RFC 5881 §4. */
  from?: number;
  /** Hops that they must have left; BFD_TTL by default. */
  ttl?: number;
  /** The peer speaks when asked only: no silence of its own counts, but a question's deadline (`setDue`). */
  asks?: boolean;
  /** The peer's echo packets are sent back. */
  echoLoop?: boolean;
  /** What echo packets of ours carry, 8 bytes; absent: none are sent. */
  echoKey?: Uint8Array;
}

/** What the programs count of a session. */
export type BfdCount =
  | 'fired'
  | 'repeats'
  | 'handed'
  | 'low_ttl'
  | 'refused'
  | 'echo_looped'
  | 'echo_refused';

/** BFD sessions as mapped memory, over all slots, for the thread that runs them. Only `open` and `close` allocate. */
export class BfdMap {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #times: Float64Array;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#times = u64View(words);
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
    this.#bytes.set(key.mac, 4 * (at + BFD.mac));
    const wire = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    wire.setUint16(4 * (at + BFD.port), key.port ?? BFD_PORT);
    wire.setUint16(4 * (at + BFD.port) + 2, key.from ?? 0);
    this.#words[at + BFD.ttl] = key.ttl ?? BFD_TTL;
    this.#words[at + BFD.asks] = key.asks === true ? 1 : 0;
    this.#words[at + BFD.echo_loop] = key.echoLoop === true ? 1 : 0;
    if (key.echoKey !== undefined) this.#bytes.set(key.echoKey, 4 * (at + BFD.echo_key));
    Atomics.store(this.#words, at + BFD.discr, onWire(key.discriminator));
  }

  /** The master's MAC is this from now on. */
  setMac(slot: number, mac: Uint8Array): void {
    this.#bytes.set(mac, 4 * (bfdBase(slot) + BFD.mac));
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

  /** The session has another path: from now on signs of life on that one count. */
  move(slot: number, path: Path): void {
    this.busy(slot);
    this.setDue(slot, 0);
    this.#words[bfdBase(slot) + BFD.path] = path;
  }

  isQuiet(slot: number): boolean {
    return Atomics.load(this.#words, bfdBase(slot) + BFD.quiet) === 1;
  }

  /**
   * Lets the programs take in packets of `length` bytes like the one at `from` of `packet`, and watch `path` for `detectNs` after `heardNs`.
   * `flips`: they may leave the path when that is over. The timer is to be started after this.
   */
  quiet(
    slot: number,
    packet: Uint8Array,
    from: number,
    length: number,
    path: Path,
    detectNs: number,
    heardNs: number,
    flips: boolean,
  ): void {
    const words = this.#words;
    const at = bfdBase(slot);
    this.busy(slot);
    const expect = 4 * (at + BFD.expect);
    for (let i = 0; i < BFD_MAX; i++) this.#bytes[expect + i] = i < length ? packet[from + i]! : 0;
    words[at + BFD.expect_length] = length;
    words[at + BFD.path] = path;
    words[at + BFD.flips] = flips ? 1 : 0;
    writeNs(this.#times, at + BFD.detect_ns, detectNs);
    // A packet may have come since.
    if (heardNs > this.heardNs(slot)) writeNs(this.#times, at + BFD.heard_ns, heardNs);
    Atomics.store(words, at + BFD.quiet, 1);
  }

  /** The path is dead unless an answer comes by then; 0: none is waited for so badly. */
  setDue(slot: number, ns: number): void {
    writeNs(this.#times, bfdBase(slot) + BFD.due_ns, ns);
  }

  dueNs(slot: number): number {
    return readNs(this.#words, bfdBase(slot) + BFD.due_ns);
  }

  /** Echo packets begin after this number. */
  startEcho(slot: number, sequence: number): void {
    this.#words[bfdBase(slot) + BFD.echo_back] = sequence;
    this.setEchoSent(slot, sequence);
  }

  /** Echo packets up to this number are on their way. */
  setEchoSent(slot: number, sequence: number): void {
    Atomics.store(this.#words, bfdBase(slot) + BFD.echo_sent, sequence);
  }

  /** Number of the latest echo packet that came back, unsigned, and when. */
  echoBack(slot: number): number {
    return Atomics.load(this.#words, bfdBase(slot) + BFD.echo_back) >>> 0;
  }

  echoNs(slot: number): number {
    return readNs(this.#words, bfdBase(slot) + BFD.echo_ns);
  }

  setFlips(slot: number, flips: boolean): void {
    this.#words[bfdBase(slot) + BFD.flips] = flips ? 1 : 0;
  }

  heardNs(slot: number): number {
    return readNs(this.#words, bfdBase(slot) + BFD.heard_ns);
  }

  /** A count of the programs, unsigned. */
  count(slot: number, what: BfdCount): number {
    return this.#words[bfdBase(slot) + BFD[what]]! >>> 0;
  }
}
