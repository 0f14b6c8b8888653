/**
 * Intervals of BFD (RFC 5880 §6.8.2, §6.8.4, §6.8.7). Pure. Intervals are microseconds, as packets carry them; times and spans that are
 * computed are nanoseconds.
 */

/** Least desired transmit interval of a session that is not up: 1 s (§6.8.3). */
export const SLOW_US = 1_000_000;

/** Shortest span between two periodic packets: jitter takes up to 25 % off the interval (§6.8.7). */
export function leastSpanNs(intervalUs: number): number {
  return intervalUs * 750;
}

/** Longest span: the interval, or, with a multiplier of 1, where every packet counts, 90 % of it (§6.8.7). */
export function mostSpanNs(intervalUs: number, detectMult: number): number {
  return intervalUs * (detectMult === 1 ? 900 : 1000);
}

/** Span to the next packet, with its jitter. `random` is in [0, 1). */
export function jitteredNs(intervalUs: number, detectMult: number, random: number): number {
  const least = leastSpanNs(intervalUs);
  return least + (mostSpanNs(intervalUs, detectMult) - least) * random;
}

/** How long the peer may be silent: its multiplier times the slower of what it offers to send and what we can take. 0: nothing is known. */
export function detectionNs(remoteMult: number, remoteDesiredTxUs: number, requiredRxUs: number): number {
  return remoteMult * Math.max(remoteDesiredTxUs, requiredRxUs) * 1000;
}

/**
 * When the last packet came that was there by `atNs`, at which time the programs gave the session up, or we did: of the latest that the
 * session took and the latest that the programs did. If only later ones are known it is what the detection time says. 0: none ever came.
 */
export function heardBefore(atNs: number, takenNs: number, repeatedNs: number, detectNs: number): number {
  const latest = Math.max(takenNs, repeatedNs);
  if (latest <= atNs) return latest;
  return repeatedNs > 0 && repeatedNs <= atNs ? repeatedNs : atNs - detectNs;
}

/** Interval of periodic packets: the slower of what we offer and what the peer can take. 0: the peer wants none. */
export function transmitUs(desiredTxUs: number, remoteRequiredRxUs: number): number {
  return remoteRequiredRxUs === 0 ? 0 : Math.max(desiredTxUs, remoteRequiredRxUs);
}
