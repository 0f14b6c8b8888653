/**
 * Verdict on a slave that the watchdog (bpf/watch.bpf.h) found silent. The watchdog sees only the active slave, so it learns nothing more
 * about a slave after a switch. A silent slave is therefore avoided for a time and then tried again. Each relapse doubles
 * the time. A slave that carries traffic well for long enough loses one strike.
 *
 * State is a record of src/detect/record.ts. Nothing here allocates or has a clock of its own.
 */
import { CAUSE_UNANSWERED } from '../../policy/evaluate.js';
import { record } from '../../record.js';
import { avoidMs } from '../backoff.js';
import {
  D_OWN,
  D_STATE,
  DETECT_WORDS,
  STATE_DOWN,
  STATE_OFF,
  STATE_OK,
  STATE_SUSPECT,
  setState,
} from '../record.js';

/** The watchdog's own words of its records. */
export const {
  strikes: U_STRIKES,
  untilMs: U_UNTIL_MS,
  wellMs: U_WELL_MS,
  seenMs: U_SEEN_MS,
  retryMs: U_RETRY_MS,
  retryMaxMs: U_RETRY_MAX_MS,
} = record(
  'detect.unanswered',
  DETECT_WORDS,
  {
    /** Strikes: how often the slave fell silent, less those taken back. */
    strikes: 1,
    /** When the present suspicion ends. */
    untilMs: 1,
    /** Time for which the slave has carried traffic well since its strikes last changed, ms. */
    wellMs: 1,
    /** The latest look. */
    seenMs: 1,
    /** The configuration: ms of the first suspicion, and of the longest. */
    retryMs: 1,
    retryMaxMs: 1,
  },
  D_OWN,
);

/** What a turn sees: bits. */
export const SEEN_ACTIVE = 1 as const;
/** Frames have waited for an answer for at least half the timeout. */
export const SEEN_WAITING = 2 as const;
/** No frame waits, because the latest ones have been answered. */
export const SEEN_ANSWERED = 4 as const;
/** Another detector has had an answer on the slave since the slave fell silent. */
export const SEEN_ALIVE = 8 as const;

/** Longest step that is added to U_WELL_MS at once. A stalled worker has not seen the slave carry traffic. */
const STEP_MS = 1000;

/** Begins anew, with the strikes that an earlier worker had counted. */
export function initUnanswered(
  records: Int32Array,
  base: number,
  o: { retryMs: number; retryMaxMs: number; strikes: number; nowMs: number },
): void {
  setState(records, base, STATE_OK, 0, o.nowMs);
  records[base + U_STRIKES] = o.strikes;
  records[base + U_UNTIL_MS] = o.nowMs;
  records[base + U_WELL_MS] = 0;
  records[base + U_SEEN_MS] = o.nowMs;
  records[base + U_RETRY_MS] = o.retryMs;
  records[base + U_RETRY_MAX_MS] = o.retryMaxMs;
}

/** How long the path is avoided with the strikes that it has, ms. */
const suspicionMs = (records: Int32Array, base: number): number =>
  avoidMs(records[base + U_STRIKES]!, records[base + U_RETRY_MS]!, records[base + U_RETRY_MAX_MS]!);

/** The watchdog fired. A path that is silent already, since it had to be kept, only stays so longer. */
export function fellSilent(records: Int32Array, base: number, nowMs: number): void {
  if (records[base + D_STATE] !== STATE_DOWN) {
    records[base + U_STRIKES]!++;
    records[base + U_WELL_MS] = 0;
  }
  setState(records, base, STATE_DOWN, CAUSE_UNANSWERED, nowMs);
  records[base + U_UNTIL_MS] = (nowMs + suspicionMs(records, base)) | 0;
}

/** A path that fell silent while no worker watched: as `fellSilent`, but it was `agoMs` ago. */
export function hadFallenSilent(records: Int32Array, base: number, agoMs: number, nowMs: number): void {
  const left = suspicionMs(records, base) - agoMs;
  if (left <= 0) return;
  if (records[base + U_STRIKES] === 0) records[base + U_STRIKES] = 1;
  setState(records, base, STATE_DOWN, CAUSE_UNANSWERED, (nowMs - agoMs) | 0);
  records[base + U_UNTIL_MS] = (nowMs + left) | 0;
}

/** Forgets the strikes of a device that is gone, because they say nothing about the next device. */
export function forgetPath(records: Int32Array, base: number, nowMs: number): void {
  setState(records, base, STATE_OFF, 0, nowMs);
  records[base + U_STRIKES] = 0;
}

/** One turn. `seen` is SEEN_* bits. */
export function watchTurn(records: Int32Array, base: number, nowMs: number, seen: number): void {
  const step = (nowMs - records[base + U_SEEN_MS]!) | 0;
  records[base + U_SEEN_MS] = nowMs;
  const active = (seen & SEEN_ACTIVE) !== 0;
  if (records[base + D_STATE] === STATE_DOWN) {
    if (!isOver(records, base, nowMs, seen)) return;
    setState(records, base, STATE_OK, 0, nowMs);
  }
  setState(records, base, active && (seen & SEEN_WAITING) !== 0 ? STATE_SUSPECT : STATE_OK, 0, nowMs);
  if (active && (seen & SEEN_ANSWERED) !== 0) beWell(records, base, step);
}

function isOver(records: Int32Array, base: number, nowMs: number, seen: number): boolean {
  if (((nowMs - records[base + U_UNTIL_MS]!) | 0) >= 0) return true;
  // The policy kept the slave for want of a better one, and the slave answers again.
  if ((seen & SEEN_ACTIVE) !== 0) return (seen & SEEN_ANSWERED) !== 0;
  // What another detector asks is answered. Believed once: a relapse shows that it asks something else than the traffic does.
  return (seen & SEEN_ALIVE) !== 0 && records[base + U_STRIKES]! <= 1;
}

function beWell(records: Int32Array, base: number, step: number): void {
  if (records[base + U_STRIKES] === 0 || step <= 0) return;
  const well = records[base + U_WELL_MS]! + Math.min(step, STEP_MS);
  if (well >= suspicionMs(records, base)) {
    records[base + U_STRIKES]!--;
    records[base + U_WELL_MS] = 0;
  } else records[base + U_WELL_MS] = well;
}
