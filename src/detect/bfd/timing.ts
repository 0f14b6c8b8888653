/**
 * Intervals of BFD (RFC 5880 §6.8.2, §6.8.4, §6.8.7). Pure. Intervals are microseconds, as packets carry them; times and spans that are
 * computed are nanoseconds.
 */

/** Least desired transmit interval of a session that is not up: 1 s (§6.8.3). */
export const SLOW_US = 1_000_000;

/**
 * Span to the next packet: jitter takes 0 to 25 % off the interval, and with a multiplier of 1, where every packet counts, 10 to 25 %
 * (§6.8.7). `random` is in [0, 1).
 */
export function jitteredNs(intervalUs: number, detectMult: number, random: number): number {
  return intervalUs * 1000 * (detectMult === 1 ? 0.75 + 0.15 * random : 0.75 + 0.25 * random);
}

/** How long the peer may be silent: its multiplier times the slower of what it offers to send and what we can take. 0: nothing is known. */
export function detectionNs(remoteMult: number, remoteDesiredTxUs: number, requiredRxUs: number): number {
  return remoteMult * Math.max(remoteDesiredTxUs, requiredRxUs) * 1000;
}

/** Interval of periodic packets: the slower of what we offer and what the peer can take. 0: the peer wants none. */
export function transmitUs(desiredTxUs: number, remoteRequiredRxUs: number): number {
  return remoteRequiredRxUs === 0 ? 0 : Math.max(desiredTxUs, remoteRequiredRxUs);
}
