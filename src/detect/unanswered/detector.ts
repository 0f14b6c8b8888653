import { wrappedMs } from '../../clock.js';
import { lineBase, readWord } from '../../datapath/line.js';
import { WATCH, watchBase } from '../../datapath/offsets.js';
import { readNs, u64View, writeNs } from '../../datapath/u64.js';
import { provenAlive } from '../combine.js';
import type { Detector, DetectorContext } from '../detectors.js';
import type { Evidence } from '../evidence.js';
import { D_SINCE_MS, D_STATE, detectBase, STATE_DOWN, UNANSWERED } from '../record.js';
import { type Watched, watched } from '../watched.js';
import { ackTimeoutUs, type UnansweredConfig } from './section.js';
import {
  fellSilent,
  forgetPath,
  hadFallenSilent,
  initUnanswered,
  SEEN_ACTIVE,
  SEEN_ALIVE,
  SEEN_ANSWERED,
  SEEN_WAITING,
  U_STRIKES,
  watchTurn,
} from './state.js';

const PATHS = [0, 1] as const;

/**
 * The worker's half of the unanswered-TX watchdog: takes in what the programs found, and watches those who stopped sending. It must not
 * take our own pause for the path's: a wait that has run out counts when an earlier turn, not long before, had seen it half over.
 */
export class UnansweredWatch implements Detector {
  readonly kind = UNANSWERED;
  readonly #c: DetectorContext;
  readonly #times: Float64Array;
  readonly #config: UnansweredConfig;
  readonly #watched: Watched;
  readonly #timeoutNs: number;
  readonly #ackTimeoutNs: number;
  /** `fired` of the map that has been taken in. */
  readonly #fired = new Int32Array(2);
  /** Of the wait that an earlier turn saw half over: its beginning and the time of that turn; 0: none. */
  readonly #marked = new Float64Array(2);
  readonly #markedAt = new Float64Array(2);
  /** Beginning of the wait that was found to have run out here: it is over for this half. */
  readonly #ended = new Float64Array(2);

  constructor(context: DetectorContext, config: UnansweredConfig) {
    this.#c = context;
    this.#times = u64View(context.watches);
    this.#config = config;
    this.#watched = watched(config);
    this.#timeoutNs = config.timeout_us * 1000;
    this.#ackTimeoutNs = ackTimeoutUs(config) * 1000;
    for (const path of PATHS) {
      if (this.#watched[path]) this.#begin(path);
      // An earlier configuration may have had it watched: without a timeout the programs do not.
      else writeNs(this.#times, watchBase(context.slot, path) + WATCH.timeout_ns, 0);
    }
  }

  #begin(path: number): void {
    const { watches, records, clock, slot } = this.#c;
    const at = watchBase(slot, path);
    const base = detectBase(slot, path, UNANSWERED);
    const nowMs = wrappedMs(clock[0]!);
    const { retry_ms: retryMs, retry_max_ms: retryMaxMs } = this.#config;
    initUnanswered(records, base, { retryMs, retryMaxMs, strikes: watches[at + WATCH.relapses]!, nowMs });
    const firedNs = readNs(watches, at + WATCH.fired_ns);
    const agoMs = (clock[0]! - firedNs) / 1e6;
    if (firedNs > 0 && agoMs < retryMaxMs) hadFallenSilent(records, base, agoMs | 0, nowMs);
    this.#fired[path] = watches[at + WATCH.fired]!;
    // Zero keeps the programs out until the other words are there.
    writeNs(this.#times, at + WATCH.timeout_ns, 0);
    writeNs(this.#times, at + WATCH.ack_timeout_ns, this.#ackTimeoutNs);
    Atomics.store(watches, at + WATCH.min_frames, this.#config.min_frames);
    writeNs(this.#times, at + WATCH.timeout_ns, this.#timeoutNs);
  }

  turn(nowMs: number, active: number): void {
    for (let path = 0; path < 2; path++) if (this.#watched[path]) this.#look(path, nowMs, active);
  }

  #look(path: number, nowMs: number, active: number): void {
    const { records, slot, watches, links } = this.#c;
    const at = watchBase(slot, path);
    const base = detectBase(slot, path, UNANSWERED);
    const isActive = path === active;
    const seen = isActive ? SEEN_ACTIVE | this.#wait(path, at) : 0;
    const fired = Atomics.load(watches, at + WATCH.fired);
    const isNew = fired !== this.#fired[path];
    this.#fired[path] = fired;
    if (links[path]! < 0) forgetPath(records, base, nowMs);
    else if (isNew) fellSilent(records, base, nowMs);
    else {
      const alive =
        records[base + D_STATE] === STATE_DOWN &&
        provenAlive(records, slot, path, UNANSWERED, records[base + D_SINCE_MS]!);
      watchTurn(records, base, nowMs, alive ? seen | SEEN_ALIVE : seen);
    }
    // A later worker goes on with what is held against the path.
    if (watches[at + WATCH.relapses] !== records[base + U_STRIKES])
      watches[at + WATCH.relapses] = records[base + U_STRIKES]!;
  }

  /** What can be seen of the active path's wait; if it has run out, it is noted in the map as the programs would. */
  #wait(path: number, at: number): number {
    const { watches, clock, due, lines, slot } = this.#c;
    const now = clock[0]!;
    const since = readNs(watches, at + WATCH.since_ns);
    if (since === 0) return SEEN_ANSWERED;
    // Of another time that the path was active, or noted already.
    if (watches[at + WATCH.word] !== readWord(lines, lineBase(slot)) || since === this.#ended[path]) return 0;
    // What is due at once counts alone once there is enough of it.
    const soon = watches[at + WATCH.soon]! >>> 0;
    const isSoon = soon > 0 && soon >= this.#config.min_frames;
    const begin = isSoon ? readNs(watches, at + WATCH.soon_ns) : since;
    const limit = isSoon ? this.#timeoutNs : this.#ackTimeoutNs;
    const frames = isSoon ? soon : watches[at + WATCH.unanswered]! >>> 0;
    const waited = now - begin;
    if (waited < limit / 2) return 0;
    // Most waits end sooner: only one like this is worth a turn of its own.
    due[0] = Math.min(due[0]!, Math.max(begin + limit, now + limit / 4));
    const recent = now - this.#markedAt[path]! <= Math.max(2 * limit, RECENT_NS);
    // While frames leave, the programs see it first.
    const paused = now - readNs(watches, at + WATCH.last_tx_ns) >= this.#timeoutNs / 2;
    if (waited >= limit && paused && this.#marked[path] === begin && recent) {
      this.#ended[path] = since;
      if (frames >= this.#config.min_frames) this.#expire(at, frames, waited);
    }
    this.#marked[path] = begin;
    this.#markedAt[path] = now;
    return SEEN_WAITING;
  }

  #expire(at: number, frames: number, waited: number): void {
    const { watches, clock } = this.#c;
    watches[at + WATCH.fired_frames] = frames;
    watches[at + WATCH.fired_wait_us] = (waited / 1000) | 0;
    writeNs(this.#times, at + WATCH.fired_ns, clock[0]!);
    Atomics.add(watches, at + WATCH.fired, 1);
  }

  evidence(path: number): Evidence | null {
    const at = watchBase(this.#c.slot, path);
    const { watches } = this.#c;
    if (watches[at + WATCH.fired] === 0) return null;
    const frames = watches[at + WATCH.fired_frames]! >>> 0;
    const us = watches[at + WATCH.fired_wait_us]! >>> 0;
    return {
      detector: 'unanswered',
      text: `${frames} frames that expect an answer in ${us} µs, and none received`,
      facts: { frames, waited_us: us, timeout_us: this.#config.timeout_us },
    };
  }

  /** The watchdog goes on: what a worker that ended has armed still holds. */
  close(): void {}
}

/** Turns lie at most so far apart for a mark to count, if the timeout is shorter. */
const RECENT_NS = 25e6;
