/**
 * The judgement on the paths of a BFD session, which runs on the one that carries traffic: once a path is left, nothing more is learned of
 * it. A path on which the session fell is avoided for a while, then tried again; each relapse doubles the while, and time with the session
 * up takes a relapse back. A session that has not been up on a path says nothing against it: the peer may not be configured.
 *
 * State is a record of src/detect/record.ts; nothing here allocates or has a clock of its own.
 */
import { CAUSE_BFD } from '../../policy/evaluate.js';
import { record } from '../../record.js';
import { avoidMs } from '../backoff.js';
import {
  D_OWN,
  D_PROOF_MS,
  D_STATE,
  DETECT_WORDS,
  STATE_DOWN,
  STATE_OFF,
  STATE_OK,
  STATE_SUSPECT,
  setState,
} from '../record.js';
import type { BfdEngine } from './engine.js';

/** BFD's own words of its records. */
export const {
  strikes: B_STRIKES,
  untilMs: B_UNTIL_MS,
  wellMs: B_WELL_MS,
  session: B_SESSION,
  detectUs: B_DETECT_US,
  intervalUs: B_INTERVAL_US,
  refused: B_REFUSED,
  reason: B_REASON,
  echoUs: B_ECHO_US,
} = record(
  'detect.bfd',
  DETECT_WORDS,
  {
    /** Times the session fell on the path that are held against it. */
    strikes: 1,
    /** When the present suspicion ends. */
    untilMs: 1,
    /** Since when the session has been up on the path, or a strike was taken back. */
    wellMs: 1,
    /** For `status`, of the session: STATE_* | DIAG_* << 8 | the peer's STATE_* << 16. */
    session: 1,
    detectUs: 1,
    /** Of periodic packets, before jitter, µs; 0: none are sent. */
    intervalUs: 1,
    /** Packets refused, wrapping. */
    refused: 1,
    /** DISCARD_* of the latest packet that the session itself refused; 0: none. */
    reason: 1,
    /** Of echo packets, µs, negative while none has come back; 0: none are sent. */
    echoUs: 1,
  },
  D_OWN,
);

/** What a turn sees: bits. */
export const SEEN_ACTIVE = 1 as const;
export const SEEN_UP = 2 as const;
/** The session was up on this path, and has fallen, not by anybody's order. */
export const SEEN_FALLEN = 4 as const;

export interface BfdPatience {
  /** How long a path is avoided after the first fall, ms. */
  retryMs: number;
  retryMaxMs: number;
}

/** One turn of a path. `seen` is SEEN_* bits. */
export function judge(records: Int32Array, base: number, nowMs: number, seen: number, p: BfdPatience): void {
  const active = (seen & SEEN_ACTIVE) !== 0;
  if ((seen & SEEN_FALLEN) !== 0) {
    records[base + B_STRIKES]!++;
    records[base + B_UNTIL_MS] = (nowMs + avoidMs(records[base + B_STRIKES]!, p.retryMs, p.retryMaxMs)) | 0;
    setState(records, base, STATE_DOWN, CAUSE_BFD, nowMs);
    return;
  }
  const up = active && (seen & SEEN_UP) !== 0;
  // Kept for want of a better one, and it lives again; or the time is over.
  if (records[base + D_STATE] === STATE_DOWN && !up && ((nowMs - records[base + B_UNTIL_MS]!) | 0) < 0)
    return;
  if (!up) {
    setState(records, base, active ? STATE_SUSPECT : STATE_OFF, 0, nowMs);
    return;
  }
  if (records[base + D_STATE] !== STATE_OK) records[base + B_WELL_MS] = nowMs;
  setState(records, base, STATE_OK, 0, nowMs);
  records[base + D_PROOF_MS] = nowMs === 0 ? 1 : nowMs;
  const strikes = records[base + B_STRIKES]!;
  if (
    strikes > 0 &&
    ((nowMs - records[base + B_WELL_MS]!) | 0) >= avoidMs(strikes, p.retryMs, p.retryMaxMs)
  ) {
    records[base + B_STRIKES] = strikes - 1;
    records[base + B_WELL_MS] = nowMs;
  }
}

/** Writes what `status` shows of the engine. */
export function note(records: Int32Array, base: number, engine: BfdEngine): void {
  records[base + B_SESSION] = engine.state | (engine.diag << 8) | (engine.remoteState << 16);
  records[base + B_DETECT_US] = Math.min(0x7fffffff, engine.detectNs / 1e3) | 0;
  records[base + B_INTERVAL_US] = Math.min(0x7fffffff, engine.intervalUs) | 0;
}
