import type { Arrivals } from './recorder.js';

/** Clocks and scheduling: a frame that was sent so shortly before an order may have been lost to it, ns. */
const BEFORE_NS = 3e6;

/** Frames of one direction that never arrived, by the order (CLOCK_MONOTONIC ns, ascending) that they were sent after; `before`: the first. */
export function lossesByOrder(
  { sent, sentAt }: { sent: number; sentAt: Float64Array },
  arrived: Arrivals,
  orders: readonly number[],
): { before: number; lost: number[] } {
  const lost = orders.map(() => 0);
  let before = 0;
  for (let seq = 0; seq < sent; seq++) {
    if (arrived.times[seq]! > 0) continue;
    const at = orders.findLastIndex((ns) => ns - BEFORE_NS <= sentAt[seq]!);
    if (at < 0) before++;
    else lost[at]!++;
  }
  return { before, lost };
}
