/**
 * One BFD session (RFC 5880 §6.8), asynchronous mode, active role. Pure: the clock and chance are passed in, packets are written into the
 * caller's buffer. Nothing is allocated per packet, unless the session authenticates. Times are nanoseconds of one monotonic clock.
 */
import { BfdAuth } from './auth.js';
import { type BfdEngine, NEVER, type Outgoing } from './engine.js';
import {
  ACCEPTED,
  BFD_HEADER,
  DIAG_ADMIN_DOWN,
  DIAG_EXPIRED,
  DIAG_NEIGHBOUR_DOWN,
  DIAG_NONE,
  DISCARD_ADMIN_DOWN,
  DISCARD_AUTH_ABSENT,
  DISCARD_AUTH_UNWANTED,
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
  FLAG_FINAL,
  FLAG_POLL,
  PACKET_WORDS,
  STATE_ADMIN_DOWN,
  STATE_DOWN,
  STATE_INIT,
  STATE_UP,
} from './packet.js';
import { type BfdParameters, type BfdSessionConfig, checkParameters, checkSession } from './parameters.js';
import { detectionNs, jitteredNs, SLOW_US, transmitUs } from './timing.js';

/**
 * Demand mode is never asked for (the D bit stays clear); a peer that asks for it gets no periodic packets while both ends are up, as
 * §6.8.7 demands.
 */
export class BfdSession implements BfdEngine {
  readonly discriminator: number;
  /** Bytes that `transmit` writes. */
  readonly length: number;
  /** Packets refused, by DISCARD_*; the first counts those that were accepted. */
  readonly counts = new Uint32Array(DISCARDS);
  readonly #auth: BfdAuth | undefined;
  readonly #random: () => number;
  readonly #out = new Uint32Array(PACKET_WORDS);
  #want: BfdParameters;
  #state = STATE_DOWN;
  #diag = DIAG_NONE;
  #transitions = 0;
  #changedNs = 0;

  // What the peer last said.
  #remoteState = STATE_DOWN;
  #remoteDiag = DIAG_NONE;
  #remoteDiscr = 0;
  #remoteMult = 0;
  #remoteTxUs = 0;
  #remoteRxUs = 1; // §6.8.1
  #remoteEchoUs = 0;
  #remoteDemand = false;

  // Intervals in use: an offer that would harm the peer waits for the poll sequence that announces it.
  #txUs: number;
  #rxUs: number;
  #intervalUs = 0;
  #detectNs = 0;
  #heardNs = 0;
  #sentNs = 0;
  #nextNs = 0;
  #polling = false;
  #pollAgain = false;
  #final = false;
  #urgent = true;
  /** The next packet differs from the last one in more than P and F. */
  #fresh = true;

  /** `random` in [0, 1) is asked for jitter, and once for the first sequence number. Throws VfError for a value out of range. */
  constructor(config: BfdSessionConfig, random: () => number) {
    checkSession(config);
    this.#want = config;
    this.#random = random;
    this.discriminator = config.discriminator;
    this.#auth = config.auth && new BfdAuth(config.auth, Math.floor(random() * 0x100000000));
    this.length = BFD_HEADER + (this.#auth?.length ?? 0);
    this.#txUs = this.#offeredTx();
    this.#rxUs = config.requiredMinRxUs;
    this.#intervalUs = transmitUs(this.#txUs, this.#remoteRxUs);
  }

  /** STATE_*. */
  get state(): number {
    return this.#state;
  }
  /** DIAG_*: why the state last changed. */
  get diag(): number {
    return this.#diag;
  }
  get remoteState(): number {
    return this.#remoteState;
  }
  get remoteDiag(): number {
    return this.#remoteDiag;
  }
  /** 0: no valid packet for a detection time. */
  get remoteDiscriminator(): number {
    return this.#remoteDiscr;
  }
  get remoteDetectMult(): number {
    return this.#remoteMult;
  }
  /** Least interval at which the peer returns echo packets, in microseconds; 0: it does not. */
  get remoteMinEchoRxUs(): number {
    return this.#remoteEchoUs;
  }
  /** Changes of state so far. */
  get transitions(): number {
    return this.#transitions;
  }
  get changedNs(): number {
    return this.#changedNs;
  }
  /** Interval of periodic packets before jitter, in microseconds; 0: none. */
  get intervalUs(): number {
    return this.#intervalUs;
  }
  /** Detection time; 0 before the first packet. */
  get detectNs(): number {
    return this.#detectNs;
  }
  get lastHeardNs(): number {
    return this.#heardNs;
  }
  get polling(): boolean {
    return this.#polling;
  }

  /** When `expire` is to be called. */
  get expiresNs(): number {
    return this.#remoteDiscr === 0 ? NEVER : this.#heardNs + this.#detectNs;
  }

  /** When `transmit` is to be called; 0: at once. */
  get dueNs(): number {
    if (this.#final) return 0;
    if (this.#intervalUs === 0) return NEVER;
    if (this.#urgent) return 0;
    const silent =
      this.#remoteDemand && this.#state === STATE_UP && this.#remoteState === STATE_UP && !this.#polling;
    return silent ? NEVER : this.#nextNs;
  }

  receive(packet: Uint32Array, nowNs: number, bytes: Uint8Array, at: number): number {
    const reason = this.#refuse(packet, nowNs, bytes, at);
    this.counts[reason]!++;
    if (reason !== ACCEPTED) return reason;
    const flags = packet[F_FLAGS]!;
    this.#remoteDiscr = packet[F_MY_DISCR]!;
    this.#remoteState = packet[F_STATE]!;
    this.#remoteDiag = packet[F_DIAG]!;
    this.#remoteDemand = (flags & FLAG_DEMAND) !== 0;
    this.#remoteMult = packet[F_DETECT_MULT]!;
    this.#remoteTxUs = packet[F_DESIRED_MIN_TX]!;
    this.#remoteRxUs = packet[F_REQUIRED_MIN_RX]!;
    this.#remoteEchoUs = packet[F_REQUIRED_MIN_ECHO_RX]!;
    this.#heardNs = nowNs;
    if (this.#polling && (flags & FLAG_FINAL) !== 0) this.#pollDone();
    this.#follow(packet[F_STATE]!, nowNs);
    this.#retime(nowNs);
    if ((flags & FLAG_POLL) !== 0) this.#final = true;
    return ACCEPTED;
  }

  /** A packet that says nothing new came at `ns`: taken in by the programs. */
  heard(ns: number): void {
    if (ns > this.#heardNs && this.#remoteDiscr !== 0) this.#heardNs = ns;
  }

  /** Ends the wait for the peer if its time is over. True if the session went down by that. */
  expire(nowNs: number): boolean {
    if (nowNs < this.expiresNs) return false;
    const fell = this.#state === STATE_INIT || this.#state === STATE_UP;
    // Of whoever speaks next nothing is known (§6.8.1).
    this.#remoteDiscr = 0;
    this.#remoteState = STATE_DOWN;
    this.#remoteDemand = false;
    this.#remoteRxUs = 1;
    this.#remoteEchoUs = 0;
    if (fell) this.#change(STATE_DOWN, DIAG_EXPIRED, nowNs);
    this.#retime(nowNs);
    return fell;
  }

  /** Something else than the peer's silence says that the path is dead: `diag`, such as DIAG_ECHO_FAILED. False if it was not up. */
  fail(diag: number, nowNs: number): boolean {
    if (this.#state !== STATE_INIT && this.#state !== STATE_UP) return false;
    this.#change(STATE_DOWN, diag, nowNs);
    this.#retime(nowNs);
    return true;
  }

  /** Takes the session out of service, and says so to the peer, or puts it back. */
  setAdminDown(down: boolean, nowNs: number): void {
    if (down === (this.#state === STATE_ADMIN_DOWN)) return;
    this.#change(down ? STATE_ADMIN_DOWN : STATE_DOWN, down ? DIAG_ADMIN_DOWN : DIAG_NONE, nowNs);
    this.#retime(nowNs);
  }

  /** Other parameters, at any time. While up they are announced by a poll sequence (§6.8.3). Throws VfError and changes nothing if out of range. */
  setParameters(parameters: BfdParameters, nowNs: number): void {
    checkParameters(parameters);
    const before = this.#want;
    this.#want = parameters;
    this.#urgent = true;
    this.#fresh = true;
    const moved =
      before.desiredMinTxUs !== parameters.desiredMinTxUs ||
      before.requiredMinRxUs !== parameters.requiredMinRxUs;
    if (moved) this.#renegotiate();
    this.#retime(nowNs);
  }

  /** Writes the packet that is due. An answer to a poll goes first and moves no timer. */
  transmit(frame: Outgoing, nowNs: number): number {
    if (nowNs < this.dueNs) return 0;
    const answer = this.#final;
    this.#write(frame, answer);
    if (answer) {
      this.#final = false;
      return this.length;
    }
    this.#urgent = false;
    this.#sentNs = nowNs;
    this.#plan();
    return this.length;
  }

  /** Writes the periodic packet as it is now, due or not: for who sends it on our behalf until something changes. Moves no timer. */
  compose(frame: Outgoing): void {
    this.#write(frame, false);
  }

  #write({ bytes, view, payload: at }: Outgoing, answer: boolean): void {
    const out = this.#out;
    out[F_STATE] = this.#state;
    out[F_DIAG] = this.#diag;
    out[F_FLAGS] = (answer ? FLAG_FINAL : this.#polling ? FLAG_POLL : 0) | (this.#auth ? FLAG_AUTH : 0);
    out[F_DETECT_MULT] = this.#want.detectMult;
    out[F_LENGTH] = this.length;
    out[F_MY_DISCR] = this.discriminator;
    out[F_YOUR_DISCR] = this.#remoteDiscr;
    out[F_DESIRED_MIN_TX] = this.#offeredTx();
    out[F_REQUIRED_MIN_RX] = this.#want.requiredMinRxUs;
    out[F_REQUIRED_MIN_ECHO_RX] = this.#want.requiredMinEchoRxUs ?? 0;
    encodeControl(view, at, out);
    this.#auth?.sign(bytes, at, this.#fresh);
    this.#fresh = false;
  }

  #refuse(packet: Uint32Array, nowNs: number, bytes: Uint8Array, at: number): number {
    const yours = packet[F_YOUR_DISCR]!;
    if (yours !== 0 && yours !== this.discriminator) return DISCARD_YOUR_DISCR;
    const signed = (packet[F_FLAGS]! & FLAG_AUTH) !== 0;
    if (this.#auth === undefined) {
      if (signed) return DISCARD_AUTH_UNWANTED;
    } else {
      if (!signed) return DISCARD_AUTH_ABSENT;
      if (nowNs - this.#heardNs >= 2 * this.#detectNs) this.#auth.forget();
      const reason = this.#auth.verify(bytes, at, packet[F_LENGTH]!);
      if (reason !== ACCEPTED) return reason;
    }
    return this.#state === STATE_ADMIN_DOWN ? DISCARD_ADMIN_DOWN : ACCEPTED;
  }

  /** The state machine of §6.2 and §6.8.6. */
  #follow(theirs: number, nowNs: number): void {
    const mine = this.#state;
    if (theirs === STATE_ADMIN_DOWN) {
      if (mine !== STATE_DOWN) this.#change(STATE_DOWN, DIAG_NEIGHBOUR_DOWN, nowNs);
    } else if (mine === STATE_DOWN) {
      if (theirs === STATE_DOWN) this.#change(STATE_INIT, this.#diag, nowNs);
      else if (theirs === STATE_INIT) this.#change(STATE_UP, DIAG_NONE, nowNs);
    } else if (mine === STATE_INIT) {
      if (theirs >= STATE_INIT) this.#change(STATE_UP, DIAG_NONE, nowNs);
    } else if (theirs === STATE_DOWN) this.#change(STATE_DOWN, DIAG_NEIGHBOUR_DOWN, nowNs);
  }

  #change(state: number, diag: number, nowNs: number): void {
    this.#state = state;
    this.#diag = diag;
    this.#transitions++;
    this.#changedNs = nowNs;
    this.#urgent = true;
    this.#fresh = true;
    this.#polling = false;
    this.#pollAgain = false;
    this.#renegotiate();
  }

  /** What is offered has changed, by order or with the state: takes into use what may be used at once, and polls for the rest. */
  #renegotiate(): void {
    const tx = this.#offeredTx();
    const rx = this.#want.requiredMinRxUs;
    if (this.#state !== STATE_UP) {
      this.#txUs = tx;
      this.#rxUs = rx;
      return;
    }
    this.#txUs = Math.min(this.#txUs, tx);
    this.#rxUs = Math.max(this.#rxUs, rx);
    if (this.#polling) this.#pollAgain = true;
    this.#polling = true;
    this.#urgent = true;
  }

  /** The peer has answered: it knows our offer. If that changed meanwhile, the answer may be to the old one. */
  #pollDone(): void {
    if (this.#pollAgain) {
      this.#pollAgain = false;
      this.#urgent = true;
      return;
    }
    this.#polling = false;
    this.#txUs = this.#offeredTx();
    this.#rxUs = this.#want.requiredMinRxUs;
  }

  #offeredTx(): number {
    const wanted = this.#want.desiredMinTxUs;
    return this.#state === STATE_UP ? wanted : Math.max(wanted, SLOW_US);
  }

  /** Detection time, and interval of transmission; the next packet moves with the latter. */
  #retime(nowNs: number): void {
    this.#detectNs = detectionNs(this.#remoteMult, this.#remoteTxUs, this.#rxUs);
    const interval = transmitUs(this.#txUs, this.#remoteRxUs);
    if (interval === this.#intervalUs) return;
    this.#intervalUs = interval;
    if (this.#sentNs === 0) this.#sentNs = nowNs;
    this.#plan();
  }

  #plan(): void {
    this.#nextNs = this.#sentNs + jitteredNs(this.#intervalUs, this.#want.detectMult, this.#random());
  }
}
