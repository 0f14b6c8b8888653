import { Addresses } from './addresses.js';
import { AdminState } from './admin-state.js';
import { Duplicates } from './duplicates.js';
import { Mac } from './mac.js';
import { Mtu } from './mtu.js';
import { Offloads } from './offloads.js';
import type { TakeoverKind } from './takeover.js';

/** What slaves take over, in the order in which it is done at a join; a leave goes backwards. */
export const TAKEOVERS: readonly TakeoverKind[] = [
  () => new Mac(),
  () => new Mtu(),
  () => new Offloads(),
  () => new Addresses(),
  () => new Duplicates(),
  () => new AdminState(),
];
