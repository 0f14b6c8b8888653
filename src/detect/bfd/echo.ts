/**
 * When echo packets are sent, and what it means that they stay away (RFC 5880 §6.8.9). Pure, and nothing allocates per packet. Sequence
 * numbers are unsigned 32 bits.
 *
 * A peer may offer to return them and not do so: its forwarding is off, or a filter takes them for forged. So nothing follows from that
 * until one has come back in this session; until then one is sent per second.
 */
import { jitteredNs, SLOW_US } from './timing.js';

const NEVER = Number.POSITIVE_INFINITY;

export class EchoTimer {
  readonly #intervalUs: number;
  readonly #mult: number;
  readonly #random: () => number;
  #sent: number;
  #back: number;
  #remoteUs = 0;
  #proven = false;
  #sentNs = 0;
  #nextNs = NEVER;
  #expiresNs = NEVER;

  /** `first` is the number before the first one. */
  constructor(intervalUs: number, mult: number, first: number, random: () => number) {
    this.#intervalUs = intervalUs;
    this.#mult = mult;
    this.#random = random;
    this.#sent = first >>> 0;
    this.#back = this.#sent;
  }

  /** Some have come back since the session is up on this path. */
  get proven(): boolean {
    return this.#proven;
  }
  /** Between two, before jitter, µs; 0: none are sent. */
  get intervalUs(): number {
    if (this.#remoteUs === 0) return 0;
    const us = Math.max(this.#intervalUs, this.#remoteUs);
    return this.#proven ? us : Math.max(us, SLOW_US);
  }
  /** Number of the latest. */
  get sent(): number {
    return this.#sent;
  }
  get dueNs(): number {
    return this.#nextNs;
  }
  /** When the path is dead unless one comes back; Infinity: enough have. */
  get expiresNs(): number {
    return this.#expiresNs;
  }

  /** What the peer takes: least interval in µs, 0 for nothing, as when the session is not up. */
  offer(remoteUs: number, nowNs: number): void {
    if (remoteUs === this.#remoteUs) return;
    const idle = this.#remoteUs === 0 || remoteUs === 0;
    this.#remoteUs = remoteUs;
    if (idle) this.restart(nowNs);
  }

  /** Another path, or another session: what is on its way does not count any more. */
  restart(nowNs: number): void {
    this.#proven = false;
    this.#back = this.#sent;
    this.#expiresNs = NEVER;
    this.#nextNs = this.#remoteUs === 0 ? NEVER : nowNs;
  }

  /** Number `back` has come back. */
  returned(back: number): void {
    const ahead = (back - this.#back) >>> 0;
    if (ahead === 0 || ahead > (this.#sent - this.#back) >>> 0) return;
    this.#back = back;
    this.#expiresNs = NEVER;
    if (this.#proven) return;
    this.#proven = true;
    this.#plan();
  }

  /** The number to send now. */
  send(nowNs: number): number {
    this.#sent = (this.#sent + 1) >>> 0;
    this.#sentNs = nowNs;
    const missing = (this.#sent - this.#back) >>> 0;
    if (this.#proven && missing >= this.#mult && this.#expiresNs === NEVER)
      this.#expiresNs = nowNs + this.intervalUs * 1000;
    this.#plan();
    return this.#sent;
  }

  #plan(): void {
    this.#nextNs = this.#sentNs + jitteredNs(this.intervalUs, this.#mult, this.#random());
  }
}
