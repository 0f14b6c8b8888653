/** Percentiles, pure: what every row of the table is made of. */

/** Summary of a sample; the unit is the sample's. */
export interface Summary {
  n: number;
  min: number;
  p50: number;
  p99: number;
  max: number;
}

/** The values in ascending order, in an array of their own. */
export const sorted = (values: ArrayLike<number>): Float64Array => Float64Array.from(values).sort();

/**
 * The smallest value that at least `p` percent of the sample do not exceed (nearest rank): always a value that was measured, never an
 * interpolation. `ascending` must be sorted; an empty sample or `p` outside 0 … 100 is a RangeError.
 */
export function percentile(ascending: ArrayLike<number>, p: number): number {
  const n = ascending.length;
  if (n === 0) throw new RangeError('an empty sample has no percentiles');
  if (!(p >= 0 && p <= 100)) throw new RangeError(`there is no percentile ${p}`);
  // The product is rounded first: 99 % of 1,400 must be rank 1,386, not 1,387 for want of the last binary digit.
  return ascending[Math.max(0, Math.ceil(Number(((p / 100) * n).toFixed(9))) - 1)]!;
}

/** n, extremes, median and 99th percentile. NaN in the sample is a RangeError: a lost measurement must not pass as one. */
export function summarize(values: ArrayLike<number>): Summary {
  const s = sorted(values);
  if (s.some(Number.isNaN)) throw new RangeError('the sample holds a value that is no number');
  return {
    n: s.length,
    min: percentile(s, 0),
    p50: percentile(s, 50),
    p99: percentile(s, 99),
    max: percentile(s, 100),
  };
}

/** The middle value (nearest rank). */
export const median = (values: ArrayLike<number>): number => percentile(sorted(values), 50);

/** Index of the first element of an ascending array, within from … to-1, that is not below `value`; `to` if there is none. */
export function lowerBound(
  ascending: ArrayLike<number>,
  value: number,
  from = 0,
  to = ascending.length,
): number {
  let lo = from;
  let hi = to;
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if (ascending[mid]! < value) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

/** The longest distance between neighbours of a sample, whatever its order; zeros ("never") are left out. 0 for fewer than two. */
export function longestGap(times: ArrayLike<number>): number {
  const s = sorted(times);
  let gap = 0;
  for (let i = lowerBound(s, Number.MIN_VALUE) + 1; i < s.length; i++) gap = Math.max(gap, s[i]! - s[i - 1]!);
  return gap;
}
