/** Words that status halves share. */

export const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** A time as a person reads it: `250 µs`, `40 ms`. */
export const span = (ns: number): string =>
  ns < 10e6 ? `${Math.round(ns / 1e3)} µs` : `${Math.round(ns / 1e6)} ms`;
