/** Which slaves of an instance a detector watches: `slaves` of its configuration. */
import { ROLES } from '../device.js';
import type { Section } from './detector.js';

/** By path. */
export type Watched = readonly [primary: boolean, standby: boolean];

export function watched({ slaves }: Section): Watched {
  const [primary, standby] = ROLES.map((role) => slaves.includes(role));
  return [primary!, standby!];
}
