/**
 * Returns how long a path with so many strikes is avoided, ms: `retryMs` for the first, twice as long for each further one, at most
 * `retryMaxMs`. Allocates nothing, and stays within int32.
 */
export function avoidMs(strikes: number, retryMs: number, retryMaxMs: number): number {
  let ms = retryMs;
  // Not by a shift: that would leave the int32 range.
  for (let i = 1; i < strikes && ms < retryMaxMs; i++) ms = ms > retryMaxMs / 2 ? retryMaxMs : ms * 2;
  return ms;
}
