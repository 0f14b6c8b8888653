/**
 * Active probes as a state machine over both paths of an instance. Pure: what it is told are times, what was sent and what came back; what
 * it says is when to send on which path, and which path is dead. Nothing here allocates after construction.
 *
 * It works in rounds. The inactive path is asked first, and the active one when the inactive's answers are in, or have had `gap`: a probe
 * makes switches that learn look for the master's MAC where it came from, and this way the active path has the last word. What comes back
 * may come on either path; it counts for the path that the probe left by. That a path does not receive shows in three ways:
 * - answers are missing;
 * - the other path's broadcasts, which the network used to flood to it, are not heard any more (it is deaf);
 * - nothing at all comes in on the active path. Then the network may be sending the inactive path's answers there as well, and these are
 *   not held against the inactive path as long as it does hear something: otherwise both would look dead.
 *
 * Times are CLOCK_MONOTONIC nanoseconds as doubles.
 */
import type { Watched } from '../watched.js';

export const TARGETS_MAX = 32 as const;
/** A path that has just appeared is asked for so many rounds in any case, and by default not judged (bonding's grace). */
const FRESH_ROUNDS = 2;
/** So many of the other path's broadcasts must have been heard before their absence says anything. */
const HEARING = 3;
/** A turn later than this, or than half the timeout, was our own pause: what is missing then is not the path's fault. Once in a row. */
const PAUSE_NS = 4e6;
/** Least time that the inactive path's answers get before the active path is asked. */
const GAP_NS = 2e6;

const IDLE = 0;
/** The inactive path has been asked, the active one not yet. */
const FIRST = 1;
const ASKED = 2;

export interface ProbeOptions {
  targets: number;
  /** Paths that are judged. */
  watched: Watched;
  intervalNs: number;
  /** Of an answer; at most three quarters of the interval. */
  timeoutNs: number;
  /** Rounds in a row without an answer until the path is dead. */
  missedMax: number;
  /** How long a path that has just appeared is not asked; undefined: it is asked at once, and not judged in its first rounds. */
  initWaitNs: number | undefined;
  /** All targets have to answer; otherwise any one. */
  all: boolean;
  /** Whether the active path, and the inactive one, live by answers alone. The other lives by anything that it receives. */
  validateActive: boolean;
  validateInactive: boolean;
  /** Whether an inactive path that nothing is held against is asked as well. */
  inactive: boolean;
  /** Good rounds in a row until a dead path is alive again. */
  healthy: number;
  /** Whether broadcasts are among the probes, which a network floods to the other path. */
  broadcasts: boolean;
}

export class ProbeRounds {
  readonly options: ProbeOptions;
  /** By path * TARGETS_MAX + target. Rounds in a row without an answer. */
  readonly missed = new Int32Array(2 * TARGETS_MAX);
  /** Smoothed as TCP does (RFC 6298: 1/8), and the least; 0: never answered. */
  readonly rttNs = new Float64Array(2 * TARGETS_MAX);
  readonly minRttNs = new Float64Array(2 * TARGETS_MAX);
  /** When the latest probe was sent, and the latest answer came. */
  readonly sentNs = new Float64Array(2 * TARGETS_MAX);
  readonly answerNs = new Float64Array(2 * TARGETS_MAX);

  // By path.
  readonly up = new Int32Array(2);
  readonly dead = new Int32Array(2);
  /** Good rounds in a row. */
  readonly good = new Int32Array(2);
  /** Rounds in a row in which it did not hear what it used to. */
  readonly deaf = new Int32Array(2);
  readonly excused = new Int32Array(2);
  /** Rounds in which other frames stood for answers. */
  readonly credited = new Int32Array(2);
  /** Frames received, and probes of the other path heard, so far: the caller sets them before each step. */
  readonly frames = new Float64Array(2);
  readonly heard = new Float64Array(2);
  readonly #framesBefore = new Float64Array(2);
  readonly #heardBefore = new Float64Array(2);
  /** Rounds for which the path is still a new one; not before when it is asked. */
  readonly #fresh = new Int32Array(2);
  readonly #fromNs = new Float64Array(2);
  readonly #hearing = new Int32Array(2);
  /** Answers of this round that came in on the path, whosever. */
  readonly #arrived = new Int32Array(2);
  readonly #asked = new Int32Array(2);
  /** The same as of when the path was asked, and the other's answers since then. */
  readonly #framesAsked = new Float64Array(2);
  readonly #heardAsked = new Float64Array(2);
  readonly #arrivedSince = new Int32Array(2);

  /** 1: waits for its answer, 2: answered in time. */
  readonly #now = new Int32Array(2 * TARGETS_MAX);
  #phase = IDLE;
  #active = 0;
  #nextNs = 0;
  #gapNs = 0;
  #deadlineNs = 0;
  #paused = false;
  /** Rounds judged, and those that our own pauses made worthless. */
  rounds = 0;
  voided = 0;

  constructor(options: ProbeOptions) {
    this.options = options;
  }

  /** When the next step is due. */
  get dueNs(): number {
    return this.#phase === IDLE ? this.#nextNs : this.#phase === FIRST ? this.#gapNs : this.#deadlineNs;
  }

  /** Whether an answer to this probe is waited for. */
  waiting(path: number, target: number): boolean {
    return this.#phase !== IDLE && this.#now[path * TARGETS_MAX + target] === 1;
  }

  /** The path's device has a link, since `sinceNs`, and is ours to send on, or has not. */
  link(path: number, up: boolean, sinceNs: number): void {
    const now = up ? 1 : 0;
    if (this.up[path] === now) return;
    this.up[path] = now;
    this.dead[path] = 0;
    this.good[path] = 0;
    this.deaf[path] = 0;
    this.#hearing[path] = 0;
    this.#fresh[path] = FRESH_ROUNDS;
    this.#fromNs[path] = sinceNs + (this.options.initWaitNs ?? 0);
    const at = path * TARGETS_MAX;
    this.missed.fill(0, at, at + TARGETS_MAX);
    this.#now.fill(0, at, at + TARGETS_MAX);
  }

  sent(path: number, target: number, nowNs: number): void {
    const i = path * TARGETS_MAX + target;
    this.#now[i] = 1;
    this.sentNs[i] = nowNs;
    this.#asked[path] = 1;
  }

  /** An answer to the probe that waits; `on` is the path that it came by. */
  answered(path: number, target: number, arrivedNs: number, on: number): void {
    const i = path * TARGETS_MAX + target;
    const rtt = arrivedNs - this.sentNs[i]!;
    if (this.#now[i] !== 1 || rtt < 0) return;
    this.#arrived[on] = 1;
    this.#arrivedSince[on] = 1;
    this.answerNs[i] = arrivedNs;
    if (rtt > this.options.timeoutNs) return;
    this.#now[i] = 2;
    this.rttNs[i] = this.rttNs[i] === 0 ? rtt : this.rttNs[i]! + (rtt - this.rttNs[i]!) / 8;
    if (this.minRttNs[i] === 0 || rtt < this.minRttNs[i]!) this.minRttNs[i] = rtt;
  }

  /**
   * One step. Answers have been told before it.
   * @returns on which paths to send now: bit 0 the primary, bit 1 the standby; of both the inactive first
   */
  step(nowNs: number, active: number): number {
    if (this.#phase === FIRST && (nowNs >= this.#gapNs || this.#complete(this.#active ^ 1))) {
      this.#phase = ASKED;
      this.#deadlineNs = nowNs + this.options.timeoutNs;
      return this.#ask(this.#askable(this.#active, nowNs) ? 1 << this.#active : 0);
    }
    if (this.#phase === ASKED && (nowNs >= this.#deadlineNs || (this.#complete(0) && this.#complete(1)))) {
      this.#judge(nowNs);
      this.#phase = IDLE;
    }
    return this.#phase === IDLE && nowNs >= this.#nextNs ? this.#open(nowNs, active) : 0;
  }

  /**
   * Targets whose answers to what is about to be sent on the active path decide: bits. If they do not come (any of them, or all, as
   * configured) the path will be dead, and the other is known to live, or nobody asks: so the programs may leave it by themselves. They know
   * answers only, so they never leave a path that lives by anything else.
   */
  decisive(path: number): number {
    const { targets, missedMax, all, watched } = this.options;
    const other = path ^ 1;
    if (!watched[path] || !this.#validated(path)) return 0;
    if (this.dead[path] === 1 || this.#spared(path) || this.dead[other] === 1) return 0;
    if (this.up[other] !== 1 || (watched[other] && !this.#goodRound(other))) return 0;
    let last = 0;
    for (let t = 0; t < targets; t++)
      if (this.missed[path * TARGETS_MAX + t]! + 1 >= missedMax) last |= 1 << t;
    return all || last === ((-1 >>> (TARGETS_MAX - targets)) | 0) ? last : 0;
  }

  /** Rounds in a row that the path has not answered, as the targets are combined. */
  missedRounds(path: number): number {
    const { targets, all } = this.options;
    let n = this.missed[path * TARGETS_MAX]!;
    for (let t = 1; t < targets; t++) {
      const m = this.missed[path * TARGETS_MAX + t]!;
      if (all ? m > n : m < n) n = m;
    }
    return n;
  }

  /** How long it is until the path is asked, ns. */
  waitNs(path: number, nowNs: number): number {
    return this.up[path] === 1 ? Math.max(0, this.#fromNs[path]! - nowNs) : 0;
  }

  #askable(path: number, nowNs: number): boolean {
    return this.up[path] === 1 && nowNs >= this.#fromNs[path]!;
  }

  /** It is not judged yet. */
  #spared(path: number): boolean {
    return this.options.initWaitNs === undefined && this.#fresh[path]! > 0;
  }

  #complete(path: number): boolean {
    for (let t = 0; t < this.options.targets; t++) if (this.#now[path * TARGETS_MAX + t] === 1) return false;
    return true;
  }

  #open(nowNs: number, active: number): number {
    const { intervalNs, timeoutNs, inactive, watched } = this.options;
    const other = active ^ 1;
    this.#nextNs = nowNs - this.#nextNs > intervalNs ? nowNs + intervalNs : this.#nextNs + intervalNs;
    this.#active = active;
    this.#now.fill(0);
    this.#arrived.fill(0);
    this.#asked.fill(0);
    for (let p = 0; p < 2; p++) {
      this.#framesBefore[p] = this.frames[p]!;
      this.#heardBefore[p] = this.heard[p]!;
    }
    const doubt = this.dead[other]! + this.deaf[other]! + this.missedRounds(other) > 0;
    const asks =
      watched[other] && this.#askable(other, nowNs) && (inactive || doubt || this.#fresh[other]! > 0);
    // It is not to be judged, but the last word is its: else the network would look for the master on the other until the next frame.
    const follows = this.#askable(active, nowNs) && (watched[active] || asks);
    const mask = (follows ? 1 << active : 0) | (asks ? 1 << other : 0);
    // A path that is dead anyway need not have the addresses look there for longer than it takes to send.
    if (mask === 3 && this.dead[other] === 0) {
      this.#phase = FIRST;
      this.#gapNs = nowNs + this.#gap(other);
      return this.#ask(1 << other);
    }
    this.#phase = ASKED;
    this.#deadlineNs = nowNs + timeoutNs;
    return this.#ask(mask);
  }

  /** These paths are asked now: what they have received so far is no answer. */
  #ask(mask: number): number {
    for (let p = 0; p < 2; p++) {
      if ((mask & (1 << p)) === 0) continue;
      this.#framesAsked[p] = this.frames[p]!;
      this.#heardAsked[p] = this.heard[p]!;
      this.#arrivedSince[p] = 0;
    }
    return mask;
  }

  /** Whether answers alone count for the path, in the role that it has in this round. */
  #validated(path: number): boolean {
    return path === this.#active ? this.options.validateActive : this.options.validateInactive;
  }

  /** The path is asked, need not answer, and has received something since. */
  #credit(path: number): boolean {
    if (this.#asked[path] === 0 || this.#validated(path)) return false;
    return (
      this.#arrivedSince[path] === 1 ||
      this.frames[path] !== this.#framesAsked[path] ||
      this.heard[path] !== this.#heardAsked[path]
    );
  }

  /** What the inactive path's answers get: twice what they usually take, a quarter of the interval at most. */
  #gap(path: number): number {
    let rtt = 0;
    for (let t = 0; t < this.options.targets; t++) rtt = Math.max(rtt, this.rttNs[path * TARGETS_MAX + t]!);
    return Math.min(this.options.intervalNs / 4, Math.max(GAP_NS, 2 * rtt));
  }

  #receives(path: number): boolean {
    return (
      this.#arrived[path] === 1 ||
      this.heard[path] !== this.#heardBefore[path] ||
      this.frames[path] !== this.#framesBefore[path]
    );
  }

  /** Whether the path's answers of this round, or what stands for them, are what the configuration wants. */
  #goodRound(path: number): boolean {
    return this.#answers(path) || this.#credit(path);
  }

  #answers(path: number): boolean {
    const { targets, all } = this.options;
    let answered = 0;
    for (let t = 0; t < targets; t++) if (this.#now[path * TARGETS_MAX + t] === 2) answered++;
    return all ? answered === targets : answered > 0;
  }

  #judge(nowNs: number): void {
    this.rounds++;
    const late = nowNs - this.#deadlineNs > Math.max(PAUSE_NS, this.options.timeoutNs / 2);
    const paused = late && !this.#paused;
    this.#paused = paused;
    if (paused) this.voided++;
    const other = this.#active ^ 1;
    const goodActive = this.#goodRound(this.#active);
    const goodOther = this.#goodRound(other);
    const excused =
      this.#asked[this.#active] === 1 &&
      !goodActive &&
      !this.#receives(this.#active) &&
      this.#receives(other);
    this.#judgePath(this.#active, goodActive, paused, false);
    this.#judgePath(other, goodOther, paused, excused);
  }

  #judgePath(path: number, good: boolean, paused: boolean, excused: boolean): void {
    if (!this.options.watched[path]) return;
    if (this.#asked[path] === 0 || this.up[path] === 0) {
      this.#hear(path, paused);
      return;
    }
    const judged = !paused && !this.#spared(path);
    if (excused && !good) this.excused[path]!++;
    const credit = good && !this.#answers(path);
    if (credit) this.credited[path]!++;
    for (let t = 0; t < this.options.targets; t++) {
      const i = path * TARGETS_MAX + t;
      if (this.#now[i] === 2 || credit) this.missed[i] = 0;
      else if (this.#now[i] === 1 && judged && !excused) this.missed[i]!++;
    }
    if (good) this.good[path]!++;
    else if (!paused) this.good[path] = 0;
    this.#hear(path, paused);
    if (this.#fresh[path]! > 0 && !paused) this.#fresh[path]!--;
    const { missedMax, healthy } = this.options;
    if (this.missedRounds(path) >= missedMax || this.deaf[path]! >= missedMax) this.dead[path] = 1;
    else if (this.dead[path] === 1 && this.good[path]! >= healthy && this.deaf[path] === 0)
      this.dead[path] = 0;
  }

  /** The other path is asked and answers, so its broadcasts are in the network: does this one still hear what it used to? */
  #hear(path: number, paused: boolean): void {
    if (!this.options.broadcasts) return;
    if (this.heard[path] !== this.#heardBefore[path] && this.#hearing[path]! < HEARING)
      this.#hearing[path]!++;
    if (this.#receives(path)) this.deaf[path] = 0;
    else if (
      this.#hearing[path] === HEARING &&
      this.#asked[path ^ 1] === 1 &&
      this.#answers(path ^ 1) &&
      !paused
    )
      this.deaf[path]!++;
  }
}
