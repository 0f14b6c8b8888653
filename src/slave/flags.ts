import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { type Device, pathOf } from '../device.js';
import { VfError } from '../errors.js';
import type { Shortfall } from '../impairments.js';
import { IFF_ALLMULTI, IFF_PROMISC } from '../netlink/constants.js';
import { Damper } from './damper.js';
import { type DriverLimits, limitsOf } from './drivers.js';
import { groupsOverflow } from './groups.js';
import { deviceBytes, madeOn } from './lists.js';
import { Memory } from './memory.js';
import type { SlaveContext, Takeover } from './takeover.js';
import { unicastOverflow } from './unicast.js';

/** A flag that was refused is tried again after so long, ms. */
const REFUSED_MS = 5_000;

interface State {
  limits: DriverLimits;
  damper: Damper;
  seen: readonly [master: Device, slave: Device, allmulti: boolean] | undefined;
  overflow: number;
  retryAt: number;
  told: Shortfall[];
}

const memory = new Memory<State>((context) => ({
  limits: limitsOf(context.driver()),
  damper: new Damper(),
  seen: undefined,
  overflow: 0,
  retryAt: Number.POSITIVE_INFINITY,
  told: [],
}));

const FLAGS_OF = [
  { bit: IFF_PROMISC, name: 'promisc' },
  { bit: IFF_ALLMULTI, name: 'allmulti' },
] as const;

/**
 * Promisc and allmulti: of the master, whoever asked for them (a bridge, a macvlan in passthru mode, tcpdump, a multicast router), and
 * those that stand in for lists that do not fit. net_failover does not pass them on, so both slaves follow there.
 */
export const FLAGS: Takeover = {
  name: 'flags',
  follow(context) {
    const state = memory.of(context);
    const { master, slave } = context;
    const asked = context.filters.allmulti(master.ifindex, state);
    const { promisc, allmulti } = state.limits;
    // A flag that the driver ignores stands in for nothing.
    const overflow =
      Number(promisc !== false && unicastOverflow(context)) |
      (Number(allmulti !== false && groupsOverflow(context)) << 1);
    const seen = [master, slave, asked] as const;
    const same = seen.every((fact, i) => fact === state.seen?.[i]) && state.overflow === overflow;
    if (same && performance.now() < state.retryAt) return state.told;
    state.retryAt = Number.POSITIVE_INFINITY;
    const wanted =
      ((master.promiscuity ?? 0) > 0 || overflow & 1 ? IFF_PROMISC : 0) |
      (asked || overflow & 2 ? IFF_ALLMULTI : 0);
    state.told = bring(context, state, wanted);
    Object.assign(state, { seen, overflow });
    return state.told;
  },
  restore(context, gone) {
    const now = gone ? undefined : context.rtnl.link(context.slave.ifindex);
    for (const { bit, name } of FLAGS_OF) {
      if (!isOurs(context, bit)) continue;
      if (((now?.userFlags ?? 0) & bit) !== 0) context.rtnl.setLink(context.slave.ifindex, { [name]: false });
      context.undo.delete(VfUndoKind.VF_UNDO_FLAG, flagId(context, bit));
    }
    context.filters.forget(context.master.ifindex, memory.of(context));
    memory.forget(context);
  },
};

/** Sets what is wanted and not there, and takes back what we set and nobody wants. */
function bring(context: SlaveContext, state: State, wanted: number): Shortfall[] {
  const { slave, rtnl } = context;
  const told: Shortfall[] = [];
  const differs = (flags: number): boolean =>
    FLAGS_OF.some(({ bit }) => ((wanted & bit) !== 0 ? (flags & bit) === 0 : isOurs(context, bit)));
  if (!differs(slave.userFlags ?? 0)) return limited(context, state, wanted);
  // What is known of the slave may be older than our last change.
  const now = rtnl.link(slave.ifindex);
  if (now === undefined) return state.told;
  for (const { bit, name } of FLAGS_OF) {
    const set = ((now.userFlags ?? 0) & bit) !== 0;
    const ours = isOurs(context, bit);
    if ((wanted & bit) !== 0 && !set) told.push(...turnOn(context, state, bit, name, ours));
    if ((wanted & bit) === 0 && ours) {
      if (set) rtnl.setLink(slave.ifindex, { [name]: false });
      context.undo.delete(VfUndoKind.VF_UNDO_FLAG, flagId(context, bit));
    }
  }
  return [...told, ...limited(context, state, wanted)];
}

/** `again`: it was set by us before, and somebody has cleared it. */
function turnOn(
  context: SlaveContext,
  state: State,
  bit: number,
  name: 'promisc' | 'allmulti',
  again: boolean,
): Shortfall[] {
  const { damper } = state;
  const { slave } = context;
  const waitMs = again ? damper.waitMs : 0;
  if (waitMs > 0) {
    state.retryAt = performance.now() + waitMs;
    return [
      {
        key: `cleared ${name}`,
        severity: 'degraded',
        message: `somebody clears ${name} of ${slave.name} again and again (set ${damper.repairs} times): for now it lets in less than its master`,
        fix: `find what manages ${slave.name}, and make it leave the device alone`,
      },
    ];
  }
  if (again) damper.repaired();
  try {
    context.undo.put(VfUndoKind.VF_UNDO_FLAG, flagId(context, bit), deviceBytes(slave.ifindex));
    context.rtnl.setLink(slave.ifindex, { [name]: true });
    return [];
  } catch (e) {
    if (!(e instanceof VfError)) throw e;
    context.undo.delete(VfUndoKind.VF_UNDO_FLAG, flagId(context, bit));
    state.retryAt = performance.now() + REFUSED_MS;
    const { message, fix } = e;
    return [
      {
        key: name,
        severity: 'degraded',
        message: `${slave.name} refuses ${name}: ${message}`,
        ...(fix && { fix }),
      },
    ];
  }
}

/** What is known of how the driver obeys. One that ignores promisc altogether has `foreign` instead. */
function limited({ slave, driver }: SlaveContext, { limits }: State, wanted: number): Shortfall[] {
  if ((wanted & IFF_PROMISC) === 0) return [];
  const who = `${slave.name} (${driver()})`;
  if (limits.trust)
    return [
      {
        key: 'trust',
        severity: 'note',
        message: `${who} is promiscuous only if the host trusts it, and does not say whether it does`,
        fix: 'on the host: ip link set PF vf N trust on',
      },
    ];
  return [];
}

function flagId({ role }: SlaveContext, bit: number): Uint8Array {
  const id = new Uint8Array(5);
  new DataView(id.buffer).setUint32(0, bit, true);
  id[4] = pathOf(role);
  return id;
}

/** True if we have set the flag on this very device. Where a user had set it before, it is not. */
function isOurs(context: SlaveContext, bit: number): boolean {
  const id = flagId(context, bit);
  const entry = context.undo.get(VfUndoKind.VF_UNDO_FLAG, id);
  if (entry === undefined) return false;
  if (madeOn(entry.before, context.slave.ifindex)) return true;
  context.undo.delete(VfUndoKind.VF_UNDO_FLAG, id);
  return false;
}
