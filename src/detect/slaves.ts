import { z } from 'zod';
import { choice } from '../fields.js';

const SLAVES = ['primary', 'standby'] as const;
const error = 'a list of primary, standby or both, each once';

/** `slaves` of a detector. */
export const slavesSchema = () =>
  z
    .array(choice(SLAVES), { error })
    .refine((list) => list.length > 0 && new Set(list).size === list.length, { error })
    .meta({ minItems: 1, uniqueItems: true })
    .default([...SLAVES])
    .describe('slaves that it watches; it has nothing to say of the other one');
