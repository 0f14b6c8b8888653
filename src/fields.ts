import { z } from 'zod';

/** What configuration values are made of. `error` holds what a value must be, phrased to follow "is not" and "set it to". */

export const HOUR_MS = 3_600_000;

export function integer(min: number, max: number, unit = '', what = 'an integer') {
  const error = `${what} from ${min} to ${max}${unit === '' ? '' : ` ${unit}`}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function pattern(regex: RegExp, error: string) {
  return z.string({ error }).regex(regex, { error });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `one of ${values.join(', ')}` });
}

export const boolean = () => z.boolean({ error: 'true or false' });
export const mapping = 'a mapping of keys to values';
