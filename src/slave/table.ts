import type { SteeredModel } from '../models/model.js';
import { Addresses } from './addresses.js';
import { AdminState } from './admin-state.js';
import { Duplicates } from './duplicates.js';
import { FLAGS } from './flags.js';
import { FOREIGN } from './foreign.js';
import { GROUPS } from './groups.js';
import { Mac } from './mac.js';
import { Mtu } from './mtu.js';
import { Offloads } from './offloads.js';
import { Pacing } from './qdisc.js';
import type { Takeover, TakeoverKind } from './takeover.js';
import { UNICAST } from './unicast.js';
import { VLANS } from './vlans.js';

/** What slaves take over, in the order in which it is done at a join; a leave goes backwards. */
export const TAKEOVERS: readonly TakeoverKind[] = [
  () => new Mac(),
  () => new Mtu(),
  () => new Offloads(),
  () => new Pacing(),
  () => GROUPS,
  () => UNICAST,
  // After those for whose lists it stands in where they do not fit.
  () => FLAGS,
  () => FOREIGN,
  () => VLANS,
  () => new Addresses(),
  () => new Duplicates(),
  () => new AdminState(),
];

/** New takeovers for a slave of a model, in the order of `kinds`: all but those that the kernel does there. */
export const takeoversOf = (
  { kernelTakesOver }: SteeredModel,
  kinds: readonly TakeoverKind[] = TAKEOVERS,
): Takeover[] => kinds.map((make) => make()).filter(({ name }) => !kernelTakesOver.includes(name));
