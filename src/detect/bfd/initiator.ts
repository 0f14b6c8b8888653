/**
 * The initiator of S-BFD (RFC 7880 §7.3): it asks a reflector that keeps no state, so there is no handshake, and nothing to negotiate but
 * how often. Pure.
 *
 * The reflector speaks when it is asked only. Silence is therefore counted in questions that were not answered, each of which has the time
 * to the next one: a pause of our own is none.
 */

import { type BfdEngine, NEVER, type Outgoing } from './engine.js';
import {
  ACCEPTED,
  BFD_HEADER,
  DIAG_ADMIN_DOWN,
  DIAG_EXPIRED,
  DIAG_NEIGHBOUR_DOWN,
  DIAG_NONE,
  DISCARD_ADMIN_DOWN,
  DISCARD_AUTH_UNWANTED,
  DISCARD_DEMAND,
  DISCARD_MY_DISCR,
  DISCARD_STATE,
  DISCARD_YOUR_DISCR,
  DISCARDS,
  encodeControl,
  F_DESIRED_MIN_TX,
  F_DETECT_MULT,
  F_DIAG,
  F_FLAGS,
  F_LENGTH,
  F_MY_DISCR,
  F_REQUIRED_MIN_ECHO_RX,
  F_REQUIRED_MIN_RX,
  F_STATE,
  F_YOUR_DISCR,
  FLAG_AUTH,
  FLAG_DEMAND,
  PACKET_WORDS,
  STATE_ADMIN_DOWN,
  STATE_DOWN,
  STATE_UP,
} from './packet.js';
import { type BfdSessionConfig, checkSession } from './parameters.js';
import { jitteredNs, SLOW_US } from './timing.js';

export interface SbfdConfig extends BfdSessionConfig {
  /** The reflector's: 1 to 2³² - 1. */
  remoteDiscriminator: number;
}

export class SbfdInitiator implements BfdEngine {
  readonly discriminator: number;
  readonly length = BFD_HEADER;
  readonly counts = new Uint32Array(DISCARDS);
  readonly #c: SbfdConfig;
  readonly #random: () => number;
  readonly #out = new Uint32Array(PACKET_WORDS);
  #state = STATE_DOWN;
  #diag = DIAG_NONE;
  #remoteState = STATE_DOWN;
  #remoteDiag = DIAG_NONE;
  #remoteRxUs = 0;
  #heardNs = 0;
  #sentNs = 0;
  #nextNs = 0;
  /** Questions since the last answer, and when the path is dead unless one comes; NEVER: enough were answered. */
  #unanswered = 0;
  #expiresNs = NEVER;

  /** `random` in [0, 1) is asked for jitter. Throws VfError for a value out of range. */
  constructor(config: SbfdConfig, random: () => number) {
    checkSession(config);
    this.#c = config;
    this.#random = random;
    this.discriminator = config.discriminator;
  }

  get state(): number {
    return this.#state;
  }
  get diag(): number {
    return this.#diag;
  }
  get remoteState(): number {
    return this.#remoteState;
  }
  get remoteDiag(): number {
    return this.#remoteDiag;
  }
  /** Between questions, before jitter: at most one a second while nobody answers (§7.3.3). */
  get intervalUs(): number {
    const us = Math.max(this.#c.desiredMinTxUs, this.#remoteRxUs);
    return this.#state === STATE_UP ? us : Math.max(us, SLOW_US);
  }
  /** Time from the first question of an unanswered row to the end. */
  get detectNs(): number {
    return this.#c.detectMult * Math.max(this.#c.desiredMinTxUs, this.#remoteRxUs) * 1000;
  }
  get lastHeardNs(): number {
    return this.#heardNs;
  }
  get expiresNs(): number {
    return this.#expiresNs;
  }
  get dueNs(): number {
    return this.#state === STATE_ADMIN_DOWN ? NEVER : this.#nextNs;
  }

  receive(packet: Uint32Array, nowNs: number): number {
    const reason = this.#refuse(packet);
    this.counts[reason]!++;
    if (reason !== ACCEPTED) return reason;
    const up = packet[F_STATE] === STATE_UP;
    this.#remoteState = packet[F_STATE]!;
    this.#remoteDiag = packet[F_DIAG]!;
    this.#remoteRxUs = packet[F_REQUIRED_MIN_RX]!;
    this.#answered(nowNs);
    if (up === (this.#state === STATE_UP)) return ACCEPTED;
    this.#state = up ? STATE_UP : STATE_DOWN;
    this.#diag = up ? DIAG_NONE : DIAG_NEIGHBOUR_DOWN;
    this.#plan();
    return ACCEPTED;
  }

  /** An answer that says nothing new came at `ns`: taken in by the programs. */
  heard(ns: number): void {
    if (ns > this.#heardNs && this.#state === STATE_UP) this.#answered(ns);
  }

  expire(nowNs: number): boolean {
    if (nowNs < this.#expiresNs) return false;
    this.#expiresNs = NEVER;
    if (this.#state !== STATE_UP) return false;
    this.#state = STATE_DOWN;
    this.#diag = DIAG_EXPIRED;
    this.#remoteState = STATE_DOWN;
    this.#remoteRxUs = 0;
    this.#unanswered = 0;
    this.#plan();
    return true;
  }

  /** Out of service it asks nothing. There is nobody to tell. */
  setAdminDown(down: boolean): void {
    if (down === (this.#state === STATE_ADMIN_DOWN)) return;
    this.#state = down ? STATE_ADMIN_DOWN : STATE_DOWN;
    this.#diag = down ? DIAG_ADMIN_DOWN : DIAG_NONE;
    this.#unanswered = 0;
    this.#expiresNs = NEVER;
  }

  /** Writes the question that is due. */
  transmit({ view, payload }: Outgoing, nowNs: number): number {
    if (nowNs < this.dueNs) return 0;
    const out = this.#out;
    out[F_STATE] = this.#state;
    out[F_DIAG] = this.#diag;
    out[F_FLAGS] = FLAG_DEMAND;
    out[F_DETECT_MULT] = this.#c.detectMult;
    out[F_LENGTH] = this.length;
    out[F_MY_DISCR] = this.discriminator;
    out[F_YOUR_DISCR] = this.#c.remoteDiscriminator;
    out[F_DESIRED_MIN_TX] = Math.max(this.#c.desiredMinTxUs, this.#state === STATE_UP ? 0 : SLOW_US);
    out[F_REQUIRED_MIN_RX] = 0;
    out[F_REQUIRED_MIN_ECHO_RX] = 0;
    encodeControl(view, payload, out);
    this.#sentNs = nowNs;
    this.#unanswered++;
    if (this.#state === STATE_UP && this.#unanswered >= this.#c.detectMult && this.#expiresNs === NEVER)
      this.#expiresNs = nowNs + this.intervalUs * 1000;
    this.#plan();
    return this.length;
  }

  #answered(nowNs: number): void {
    this.#heardNs = nowNs;
    this.#unanswered = 0;
    this.#expiresNs = NEVER;
  }

  #plan(): void {
    this.#nextNs = this.#sentNs + jitteredNs(this.intervalUs, this.#c.detectMult, this.#random());
  }

  #refuse(packet: Uint32Array): number {
    if (packet[F_YOUR_DISCR] !== this.discriminator) return DISCARD_YOUR_DISCR;
    if (packet[F_MY_DISCR] !== this.#c.remoteDiscriminator) return DISCARD_MY_DISCR;
    const flags = packet[F_FLAGS]!;
    if ((flags & FLAG_AUTH) !== 0) return DISCARD_AUTH_UNWANTED;
    // A question that has come back, or somebody else's.
    if ((flags & FLAG_DEMAND) !== 0) return DISCARD_DEMAND;
    if (this.#state === STATE_ADMIN_DOWN) return DISCARD_ADMIN_DOWN;
    return packet[F_STATE] === STATE_UP || packet[F_STATE] === STATE_ADMIN_DOWN ? ACCEPTED : DISCARD_STATE;
  }
}
