import { faultTime, outage, type StreamRecord } from '../lab/netns/stream.js';
import type { Decision } from '../src/api/index.js';
import { longestGap, lowerBound } from './stats.js';

/** One cut of the primary's wire, as the one who made it knows it. CLOCK_MONOTONIC ns. */
export interface Cut {
  orderedNs: number;
  /** When the order had been carried out: a tap's carrier falls before that, while its wire is cut already. */
  carriedOutNs: number;
  /** The order to give carrier back. */
  mendNs: number;
  /** The end of the calm that followed the failback. */
  endNs: number;
  /** Since the last change of carrier before it, ms; Infinity for the first. */
  apartMs: number;
  /** False: the word still named the primary when patience was over. */
  recovered: boolean;
}

/** What one cut cost. Times in microseconds; null: it never happened. */
export interface Figures {
  apartMs: number;
  tier: number | null;
  /** From the fault to the first frame delivered on the path that works after it, the worse direction. */
  outageUs: number | null;
  /** From the fault until it was noticed. */
  detectionUs: number | null;
  /** From then until the word was flipped. */
  switchUs: number | null;
  /** Both together: from the fault until the word was flipped. */
  flippedUs: number | null;
  lostOut: number;
  lostIn: number;
  /** The longest time without an arrival around the fault, the worse direction. */
  silenceUs: number;
  /** The same in as long a window without a fault: what the lab does by itself. */
  calmUs: number;
  /** The longest time that the sender did not send in the fault's window: the lab's part of the silence. */
  senderUs: number;
  /** How long the order to cut took: the kernel's time, and on tap a part of the outage. */
  orderUs: number;
  /** Frames lost after the order to mend, both directions. */
  failbackLost: number;
}

/** Traffic before the order that belongs to a cut's window, ns. */
export const LEAD_NS = 2e6;

const lostIn = (times: Float64Array, from: number, to: number): number => {
  let n = 0;
  for (let i = from; i < Math.min(to, times.length); i++) if (times[i] === 0) n++;
  return n;
};

/**
 * Judges one cut by the frames sent from LEAD_NS before its order until the order to mend; what is lost later belongs to the failback.
 * `immediate`: the path delivers nothing from the order on (tap). Otherwise (veth, whose far end the kernel sets down at leisure) the
 * fault began with the first frame that the old path did not deliver: see faultTime().
 */
export function judgeCut(
  stream: StreamRecord,
  cut: Cut,
  decision: Decision | undefined,
  immediate: boolean,
): Figures {
  const { sentAt } = stream;
  const at = (ns: number): number => lowerBound(sentAt, ns);
  const [from, mend, end] = [at(cut.orderedNs - LEAD_NS), at(cut.mendNs), at(cut.endNs)];
  const calm = at(cut.endNs - (cut.mendNs - cut.orderedNs + LEAD_NS));
  const directions = [stream.out.times, stream.in.times].filter((t) => t.length > 0);
  const windows = directions.map((t) => t.subarray(from, mend));
  const fault = { orderedNs: cut.orderedNs, detectedNs: decision?.detected_ns ?? null, immediate };
  const faultNs = faultTime(fault, sentAt.subarray(from, mend), windows);
  const outages = windows.map((t) => outage(t, faultNs));
  const us = (ns: number): number => ns / 1000;
  const gap = (a: number, b: number): number =>
    us(Math.max(...directions.map((t) => longestGap(t.subarray(a, b)))));
  return {
    apartMs: cut.apartMs,
    tier: decision?.tier ?? null,
    outageUs: !cut.recovered || outages.includes(null) ? null : us(Math.max(...(outages as number[]))),
    detectionUs: decision ? us(Math.max(0, decision.detected_ns - faultNs)) : null,
    switchUs: decision ? us(decision.flipped_ns - decision.detected_ns) : null,
    flippedUs: decision ? us(Math.max(0, decision.flipped_ns - faultNs)) : null,
    lostOut: lostIn(stream.out.times, from, mend),
    lostIn: lostIn(stream.in.times, from, mend),
    silenceUs: gap(from, mend),
    calmUs: gap(Math.max(mend, calm), end),
    senderUs: us(longestGap(sentAt.subarray(from, mend))),
    orderUs: us(cut.carriedOutNs - cut.orderedNs),
    failbackLost: lostIn(stream.out.times, mend, end) + lostIn(stream.in.times, mend, end),
  };
}
