import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import { macAt, parseMac } from '../frames/mac.js';
import type { Shortfall } from '../impairments.js';
import { addUnicast, deleteUnicast, type FilterList } from '../netlink/index.js';
import { Damper } from './damper.js';
import { type DriverLimits, limitsOf } from './drivers.js';
import { listsOf, some } from './lists.js';
import { Memory } from './memory.js';
import { Owned } from './owned.js';
import { UnicastProof } from './proof.js';
import type { SlaveContext, Takeover } from './takeover.js';

/** So many MACs are added one by one; above, promisc alone is set. */
const UNICAST_MAX = 128;
/** How long after a quarrel it is asked whether it is over, ms. */
const QUARREL_MS = 15_000;

interface State {
  ours: Owned;
  limits: DriverLimits;
  damper: Damper;
  /** Of a driver that does not tell whether it lets a MAC in. */
  proof: UnicastProof | undefined;
  master: FilterList | undefined;
  slave: FilterList | undefined;
  masterMac: string;
  retryAt: number;
  told: Shortfall[];
  /** The slave cannot have all MACs one by one. */
  overflow: boolean;
}

const memory = new Memory<State>((context) => {
  const limits = limitsOf(context.driver());
  return {
    ours: new Owned(context, VfUndoKind.VF_UNDO_UNICAST, parseMac, macAt),
    limits,
    damper: new Damper(),
    proof: limits.unicast === undefined ? undefined : new UnicastProof(),
    master: undefined,
    slave: undefined,
    masterMac: '',
    retryAt: Number.POSITIVE_INFINITY,
    told: [],
    overflow: false,
  };
});

/** True if a slave needs promisc, since its driver cannot have all MACs of its master one by one. */
export const unicastOverflow = (context: SlaveContext): boolean => memory.peek(context)?.overflow ?? false;

/**
 * The MACs that the master lets in beside its own: of macvlans and VLANs above it, of static entries of a bridge. A bridge without
 * such entries makes its port promiscuous instead, which `flags` follows.
 */
export const UNICAST: Takeover = {
  name: 'unicast',
  waits: (context) => memory.of(context).proof?.mac !== undefined,
  follow(context) {
    const state = memory.of(context);
    // net_failover copies the list to both slaves itself (dev_uc_sync_multiple). What is left is to find out whether the VF obeys.
    if (context.traits.masterOwnsSlaves && state.proof === undefined) return state.told;
    const lists = listsOf(context);
    const { address } = context.master;
    const proven = isToBeProven(state, lists) && state.proof?.step(context, state.ours);
    const same = state.master === lists.master && state.slave === lists.slave && state.masterMac === address;
    if (same && !proven && performance.now() < state.retryAt) return state.told;
    // The verdict comes once: should what follows fail, the next look is not to find that nothing has changed.
    if (proven) state.master = undefined;
    state.retryAt = Number.POSITIVE_INFINITY;
    state.told = bring(context, state, lists.master.unicast, lists.slave.unicast);
    Object.assign(state, { ...lists, masterMac: address });
    return state.told;
  },
  restore(context, gone) {
    const { ours, proof } = memory.of(context);
    proof?.close();
    for (const mac of [...ours]) {
      if (!gone) deleteUnicast(context.rtnl, context.slave.ifindex, mac);
      ours.delete(context, mac);
    }
    context.filters.stale();
    memory.forget(context);
  },
};

/** The MAC that is tried needs room beside those that the kernel has put there: with one too many an igbvf lets in none. */
const isToBeProven = ({ limits, proof }: State, { master, slave }: ReturnType<typeof listsOf>): boolean =>
  master.unicast.size > 0 && (proof?.mac !== undefined || slave.unicast.size < (limits.unicast ?? 0));

/** Makes the slave's list the master's, as far as the driver has room. Returns what does not come in. */
function bring(
  context: SlaveContext,
  state: State,
  master: ReadonlySet<string>,
  have: ReadonlySet<string>,
): Shortfall[] {
  const { ours, limits, proof } = state;
  const { slave } = context;
  const wanted = [...master].filter((mac) => mac !== slave.address);
  // With more of them promisc does it alone. Where the driver has none, `foreign` takes their frames by the standby.
  const most = proof === undefined ? UNICAST_MAX : proof.verdict === true ? (limits.unicast ?? 0) : 0;
  const fit = new Set(wanted.length <= most ? wanted : []);
  state.overflow = fit.size < wanted.length;
  for (const mac of [...ours]) {
    if (fit.has(mac) || mac === proof?.mac) continue;
    if (have.has(mac)) deleteUnicast(context.rtnl, slave.ifindex, mac);
    ours.delete(context, mac);
  }
  const told = add(
    context,
    state,
    [...fit].filter((mac) => !have.has(mac)),
  );
  context.filters.stale();
  return told;
}

/** Adds what is missing. Those that are ours already were taken away by somebody: they are put back, but not for ever at once. */
function add(context: SlaveContext, state: State, missing: readonly string[]): Shortfall[] {
  const { ours, damper } = state;
  const repairs = missing.filter((mac) => ours.has(mac));
  const waitMs = repairs.length > 0 ? damper.waitMs : 0;
  if (repairs.length > 0 && waitMs === 0) damper.repaired();
  const told: Shortfall[] = [];
  if (damper.quarrel) {
    state.retryAt = performance.now() + (waitMs || QUARREL_MS);
    told.push(quarrel(context, damper, repairs, waitMs));
  }
  for (const mac of missing) {
    if (waitMs > 0 && ours.has(mac)) continue;
    const refusal = addOne(context, ours, mac);
    if (refusal === undefined) continue;
    state.overflow = true;
    told.push({
      key: 'refused',
      severity: 'note',
      message: `${context.slave.name} refuses ${mac}, which its master lets in (${refusal}): promisc is set instead`,
    });
    break;
  }
  return told;
}

/** Why a MAC could not be added; undefined: it is in. One that somebody else has added meanwhile is not ours. */
function addOne(context: SlaveContext, ours: Owned, mac: string): string | undefined {
  try {
    ours.add(context, mac);
    if (!addUnicast(context.rtnl, context.slave.ifindex, mac)) ours.delete(context, mac);
    return undefined;
  } catch (e) {
    ours.delete(context, mac);
    if (!(e instanceof VfError)) throw e;
    // It is just going, and its leave tells.
    return e.code === 'DEVICE_NOT_FOUND' ? undefined : e.message;
  }
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
      `somebody removes MACs from ${slave.name} again and again (put back ${damper.repairs} times)` +
      (waitMs > 0 ? `: frames to ${some(gone)} do not come by it for now` : ''),
    fix: `find what manages ${slave.name}, and make it leave the device alone`,
  };
}
