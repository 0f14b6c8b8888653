import { errnoName } from 'bpf-loader-ts/sys';
import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import { macAt, parseMac } from '../frames/mac.js';
import type { Shortfall } from '../impairments.js';
import type { FilterList } from '../netlink/index.js';
import { Damper } from './damper.js';
import { type DriverLimits, limitsOf } from './drivers.js';
import { listsOf, some } from './lists.js';
import { Memory } from './memory.js';
import { Owned } from './owned.js';
import type { SlaveContext, Takeover } from './takeover.js';

/**
 * Most groups that are added one by one. A driver programs its whole list anew for each of them. Above this number allmulti alone is set, which
 * lets all of them in at once.
 */
export const GROUPS_MAX = 128;

/** Time after a quarrel at which it is checked whether the quarrel is over, ms. */
const QUARREL_MS = 15_000;

interface State {
  ours: Owned;
  limits: DriverLimits;
  damper: Damper;
  /** Lists of the last look. The same objects mean that there is nothing to do. */
  master: FilterList | undefined;
  slave: FilterList | undefined;
  /** When a waiting repair may be made, ms of performance.now(). */
  retryAt: number;
  told: Shortfall[];
  /** True if the slave cannot have all groups one by one. */
  overflow: boolean;
}

const memory = new Memory<State>((context) => ({
  ours: new Owned(context, VfUndoKind.VF_UNDO_GROUP, parseMac, macAt),
  limits: limitsOf(context.driver()),
  damper: new Damper(),
  master: undefined,
  slave: undefined,
  retryAt: Number.POSITIVE_INFINITY,
  told: [],
  overflow: false,
}));

/** True if a slave needs allmulti, since its driver cannot have all groups of its master one by one. */
export const groupsOverflow = (context: SlaveContext): boolean => memory.peek(context)?.overflow ?? false;

/** The groups of the master, whoever joined them: its own stack, VLANs, bridges and macvlans above it, `ip maddr`, sockets. */
export const GROUPS: Takeover = {
  name: 'groups',
  follow(context) {
    const lists = listsOf(context);
    const state = memory.of(context);
    const same = state.master === lists.master && state.slave === lists.slave;
    if (same && performance.now() < state.retryAt) return state.told;
    state.retryAt = Number.POSITIVE_INFINITY;
    state.told = bring(context, state, lists.master.groups, lists.slave.groups);
    state.master = lists.master;
    state.slave = lists.slave;
    return state.told;
  },
  restore(context, gone) {
    const { ours } = memory.of(context);
    const all = [...ours];
    if (!gone) change(context, false, all);
    for (const mac of all) ours.delete(context, mac);
    memory.forget(context);
  },
};

/** Makes the slave's list the master's, as far as the driver has room. Returns the groups that it cannot have. */
function bring(
  context: SlaveContext,
  state: State,
  wanted: ReadonlySet<string>,
  have: ReadonlySet<string>,
): Shortfall[] {
  const { ours, limits } = state;
  const foreign = [...have].filter((mac) => !ours.has(mac));
  const { fit, left } = choose([...wanted], new Set(foreign), limits);
  state.overflow = left.length > 0 || (limits.groups === undefined && wanted.size > UNKNOWN_GROUPS);
  const surplus = [...ours].filter((mac) => !fit.has(mac));
  change(
    context,
    false,
    surplus.filter((mac) => have.has(mac)),
  );
  for (const mac of surplus) ours.delete(context, mac);
  const told = add(
    context,
    state,
    [...fit].filter((mac) => !have.has(mac)),
  );
  if (left.length > 0 && limits.allmulti === false) told.push(byStandby(context, limits, left));
  return told;
}

/**
 * Groups that fit into one message of a VF's driver to the host's driver (30 in igbvf's and ixgbevf's sources). Such drivers drop the rest
 * silently. A driver that was not measured gets allmulti beside the groups when there are more.
 */
const UNKNOWN_GROUPS = 30;

/** Chooses which groups are added one by one, and which are left. */
function choose(
  wanted: readonly string[],
  foreign: ReadonlySet<string>,
  limits: DriverLimits,
): { fit: ReadonlySet<string>; left: string[] } {
  // Allmulti lets all of them in, where the driver has it.
  if (limits.allmulti !== false && wanted.length > GROUPS_MAX) return { fit: new Set(), left: [...wanted] };
  let room = (limits.groups ?? Number.POSITIVE_INFINITY) - foreign.size;
  const fit = new Set<string>();
  const left: string[] = [];
  for (const mac of [...wanted].sort((a, b) => rank(a) - rank(b))) {
    if (foreign.has(mac)) continue;
    if (room-- > 0) fit.add(mac);
    else left.push(mac);
  }
  return { fit, left };
}

/** Rank of a group. The most needed come first, as IPv6 does not work without the groups of neighbour discovery. */
const rank = (mac: string): number =>
  mac.startsWith('33:33:ff:') || mac === '33:33:00:00:00:01' || mac === '01:00:5e:00:00:01' ? 0 : 1;

/** Adds missing groups. Somebody took away those that are ours already. They are put back, but not for ever at once. */
function add(context: SlaveContext, state: State, missing: readonly string[]): Shortfall[] {
  const { ours, damper } = state;
  const repairs = missing.filter((mac) => ours.has(mac));
  const told: Shortfall[] = [];
  const waitMs = repairs.length > 0 ? damper.waitMs : 0;
  if (repairs.length > 0 && waitMs === 0) damper.repaired();
  if (damper.quarrel) state.retryAt = performance.now() + (waitMs || QUARREL_MS);
  if (damper.quarrel) told.push(quarrel(context, damper, repairs, waitMs));
  const now = waitMs > 0 ? missing.filter((mac) => !ours.has(mac)) : missing;
  try {
    for (const mac of now) ours.add(context, mac);
  } catch (e) {
    if (!(e instanceof VfError)) throw e;
    told.push({
      key: 'undo',
      severity: 'note',
      message: `${e.message}: all groups are let in instead`,
      ...(e.fix && { fix: e.fix }),
    });
    state.overflow = true;
  }
  const kept = now.filter((mac) => ours.has(mac));
  return [...told, ...refused(context, state, kept, change(context, true, kept))];
}

/** Takes a group that the device refused out of the undo log, since it is not ours. */
function refused(
  context: SlaveContext,
  state: State,
  macs: readonly string[],
  errnos: Int32Array,
): Shortfall[] {
  const no = macs.filter((_, i) => errnos[i] !== 0);
  for (const mac of no) state.ours.delete(context, mac);
  const errno = errnos.find((n) => n !== 0);
  // ENODEV means that the slave is just going, and its leave tells.
  if (errno === undefined || errnoName(-errno) === 'ENODEV') return [];
  state.overflow = true;
  const { slave } = context;
  const message = `${slave.name} refuses ${no.length} groups of its master (${some(no)}: ${errnoName(-errno)}): allmulti is set instead`;
  return [{ key: 'refused', severity: 'note', message }];
}

function change({ filters, slave }: SlaveContext, on: boolean, macs: readonly string[]): Int32Array {
  return macs.length === 0 ? new Int32Array(0) : filters.changeGroups(slave.ifindex, on, macs);
}

function quarrel(
  { slave }: SlaveContext,
  damper: Damper,
  gone: readonly string[],
  waitMs: number,
): Shortfall {
  return {
    key: 'removed',
    severity: waitMs > 0 ? 'degraded' : 'note',
    message:
      `somebody removes groups from ${slave.name} again and again (put back ${damper.repairs} times)` +
      (waitMs > 0 ? `: frames to ${some(gone)} do not come by it for now` : ''),
    fix: `find what manages ${slave.name}, and make it leave the device alone`,
  };
}

function byStandby(context: SlaveContext, limits: DriverLimits, left: readonly string[]): Shortfall {
  const { slave, master, groupsEither } = context;
  const room = `${slave.name} (${context.driver()}) has room for ${limits.groups} groups and no allmulti`;
  const frames = `frames to ${some(left)}, which ${master.name} has joined,`;
  return groupsEither
    ? { key: 'table', severity: 'note', message: `${room}: ${frames} come by the standby alone` }
    : {
        key: 'table',
        severity: 'degraded',
        message: `${room}: ${frames} do not come while it is active`,
        fix: 'set `groups: either` for the instance, so that those which the standby brings are let in',
      };
}
