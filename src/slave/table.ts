import { FLAGS } from './flags.js';
import { FOREIGN } from './foreign.js';
import { GROUPS } from './groups.js';
import type { Takeover } from './takeover.js';
import { UNICAST } from './unicast.js';
import { VLANS } from './vlans.js';

/** What slaves take over, in the order in which it is done at a join; a leave goes backwards. */
export const TAKEOVERS: readonly Takeover[] = [
  GROUPS,
  UNICAST,
  // After those for whose lists it stands in where they do not fit.
  FLAGS,
  FOREIGN,
  VLANS,
];
