import { VfError } from './errors.js';

/** Where each field of a record begins, in words. */
export type Offsets<K extends string> = { readonly [F in K]: number };

/**
 * Declares a record of int32 words that threads share, and returns where its fields begin. They stand in the order of `fields`, each as many
 * words wide as it says there, so that none overlaps another. The record has `size` words; its own part may begin at `from`, behind words that
 * it shares with others. Cold: hot loops read the offsets, which are constants from then on. Throws VfError INTERNAL where the fields do not fit.
 */
export function record<K extends string>(
  name: string,
  size: number,
  fields: Readonly<Record<K, number>>,
  from = 0,
): Offsets<K> {
  const offsets: Partial<Record<K, number>> = {};
  let at = from;
  for (const [field, words] of Object.entries<number>(fields) as [K, number][]) {
    // JavaScript would move a name that is a number to the front.
    if (!Number.isInteger(words) || words < 1 || /^\d/.test(field))
      throw defect(name, field, words, 'a field has a name and at least one word');
    offsets[field] = at;
    at += words;
    if (at > size) throw defect(name, field, at, `the record has ${size} words`);
  }
  return Object.freeze(offsets) as Offsets<K>;
}

function defect(name: string, field: string, value: number, why: string): VfError {
  return new VfError('INTERNAL', `the record ${name} cannot be: ${why}`, {
    field: `${name}.${field}`,
    value,
  });
}
