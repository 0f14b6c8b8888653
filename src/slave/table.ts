import type { Takeover } from './takeover.js';

/** What slaves take over, in the order in which it is done at a join; a leave goes backwards. */
export const TAKEOVERS: readonly Takeover[] = [];
