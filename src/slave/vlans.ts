import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { VLANS_MAX } from '../config/index.js';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import type { Shortfall } from '../impairments.js';
import { createVlan } from '../netlink/index.js';
import { Damper } from './damper.js';
import { some } from './lists.js';
import { Memory } from './memory.js';
import { Owned } from './owned.js';
import type { SlaveContext, Takeover } from './takeover.js';
import { bridgeWithVlans, idBytes, idText, textOfVlan, type VlanKey, wantedVlans } from './wanted-vlans.js';

const STAG = 0x88a8;
/** Time after which a refused id is tried again, ms. No message tells that the module 8021q was loaded. */
const REFUSED_MS = 5_000;

interface State {
  ours: Owned;
  damper: Damper;
  /** Count of changes at the last look. A master's bridge that filters VLANs is asked at each look all the same. */
  links: number;
  bridged: boolean;
  /** Wanted and present ids at the last look, as text. */
  seen: string;
  told: Shortfall[];
  retryAt: number;
}

const memory = new Memory<State>((context) => ({
  ours: new Owned(context, VfUndoKind.VF_UNDO_VLAN, idBytes, idText),
  damper: new Damper(),
  links: -1,
  bridged: false,
  seen: '',
  told: [],
  retryAt: Number.POSITIVE_INFINITY,
}));

/**
 * VLAN ids. A NIC that filters VLANs lets an id in once the kernel calls vlan_vid_add on it. The only way to that from user space is a VLAN
 * device on the NIC. Ours stay down and have no other use. The reasons for this way are:
 * - Turning the filter off (`ethtool -K DEV rx-vlan-filter off`) needs no device, but most drivers that matter cannot do it. vmxnet3 and igbvf
 *   say "on [fixed]", and hosts refuse it to a VF that they do not trust.
 * - The device is in the slave's own namespace. A namespace of its own would have to be kept alive by a process, or by a mount, which dies with
 *   a systemd unit's private mounts. When the slave goes, the kernel removes its VLAN devices as well.
 * - It is made with loose binding, or the kernel would set it up whenever the slave goes up. While down it has no address and takes no frame.
 *   Tagged frames that arrive on the slave meet our program before the kernel looks for a VLAN device.
 * - Its name begins with `vf`, so no manager's pattern for physical NICs (`en*`, `eth*`) takes it. Its alias says what it is.
 */
export const VLANS: Takeover = {
  name: 'vlans',
  waits: (context) => memory.of(context).bridged,
  follow(context) {
    const state = memory.of(context);
    const { links, link } = context.changes;
    // The slave's own count is added, because its offloads, such as the VLAN filter, are no fact of a device.
    const count = links() + link(context.slave.ifindex);
    const due = performance.now() >= state.retryAt || (state.links !== count && state.told.length > 0);
    if (state.links === count && !state.bridged && !due) return state.told;
    state.bridged = bridgeWithVlans(context) !== undefined;
    const wanted = wantedVlans(context);
    const have = vlansOn(context);
    const seen = `${[...wanted.keys()].join()} ${[...have].map(([id, d]) => `${id}${d.up ? '+' : ''}`).join()}`;
    if (seen !== state.seen || due) {
      state.retryAt = Number.POSITIVE_INFINITY;
      state.told = bring(context, state, wanted, have);
    }
    // Devices made just now are not known yet. The kernel's message brings the next look.
    Object.assign(state, { links: count, seen });
    return state.told;
  },
  restore(context, gone) {
    const { ours } = memory.of(context);
    const have = gone ? new Map<string, Device>() : vlansNow(context);
    for (const id of [...ours]) {
      const device = have.get(id);
      if (device) remove(context, device);
      ours.delete(context, id);
    }
    memory.forget(context);
  },
};

/** Returns the known VLAN devices on the slave. */
const vlansOn = ({ links, slave }: SlaveContext): Map<string, Device> => onSlave(links.values(), slave);

/** Returns the same, asked of the kernel. */
const vlansNow = ({ rtnl, slave }: SlaveContext): Map<string, Device> => onSlave(rtnl.links(), slave);

function onSlave(devices: Iterable<Device>, slave: Device): Map<string, Device> {
  const out = new Map<string, Device>();
  for (const d of devices)
    if (d.vlan && d.link === slave.ifindex && d.linkNetnsId === undefined) out.set(textOfVlan(d.vlan), d);
  return out;
}

/** Lets in the wanted ids. Returns those that could not be let in. */
function bring(
  context: SlaveContext,
  state: State,
  wanted: ReadonlyMap<string, VlanKey>,
  have: ReadonlyMap<string, Device>,
): Shortfall[] {
  const { ours } = state;
  const keep = new Set([...wanted.keys()].slice(0, VLANS_MAX));
  for (const id of [...ours]) {
    if (keep.has(id)) continue;
    const device = have.get(id);
    if (device) remove(context, device);
    ours.delete(context, id);
  }
  const missing = [...keep].filter((id) => !have.has(id));
  const filters = wanted.size > 0 ? filterOf(context) : { ctag: false, stag: false };
  const needed = missing.filter((id) => (wanted.get(id)!.protocol === STAG ? filters.stag : filters.ctag));
  const told = [...setDown(context, state, have), ...make(context, state, needed, wanted)];
  const left = [...wanted.keys()].slice(VLANS_MAX);
  if (left.length > 0 && (filters.ctag || filters.stag)) told.push(tooMany(context, left));
  return told;
}

/** Returns the tags that the slave filters. A driver that says nothing (before Linux 5.7) is taken to filter both. */
function filterOf({ ethtool, slave }: SlaveContext): { ctag: boolean; stag: boolean } {
  const features = ethtool.features(slave.ifindex);
  if (features === undefined) return { ctag: true, stag: true };
  return { ctag: features.has('rx-vlan-filter'), stag: features.has('rx-vlan-stag-filter') };
}

function make(
  context: SlaveContext,
  state: State,
  needed: readonly string[],
  wanted: ReadonlyMap<string, VlanKey>,
): Shortfall[] {
  const { ours, damper } = state;
  const again = needed.filter((id) => ours.has(id));
  const waitMs = again.length > 0 ? damper.waitMs : 0;
  if (waitMs > 0) {
    state.retryAt = performance.now() + waitMs;
    return [quarrel(context, damper, again)];
  }
  if (again.length > 0) damper.repaired();
  const told: Shortfall[] = [];
  for (const id of needed) {
    const refusal = makeOne(context, ours, id, wanted.get(id)!);
    if (refusal !== undefined) told.push(refusal);
  }
  if (told.length > 0) state.retryAt = performance.now() + REFUSED_MS;
  return told;
}

function makeOne(context: SlaveContext, ours: Owned, id: string, vlan: VlanKey): Shortfall | undefined {
  const { slave, rtnl, instance, master } = context;
  try {
    ours.add(context, id);
    createVlan(rtnl, {
      ...vlan,
      name: `vf${slave.ifindex}${vlan.protocol === STAG ? 's' : 'v'}${vlan.id}`,
      link: slave.ifindex,
      alias: `vfailover: lets VLAN ${vlan.id} of ${instance} into ${slave.name}, stays down`,
    });
    return undefined;
  } catch (e) {
    if (!(e instanceof VfError)) throw e;
    // A VLAN device that somebody makes at this moment lets the id in as well. Or the slave is just going, and its leave tells.
    const known = vlansNow(context).has(id);
    if (!known) ours.delete(context, id);
    if (known || e.code === 'DEVICE_NOT_FOUND') return undefined;
    return {
      key: id,
      severity: 'degraded',
      message: `${slave.name} filters VLANs and VLAN ${id} cannot be let in: ${e.message}. Its frames to ${master.name} do not come by ${slave.name}`,
      fix: `load the module 8021q, or turn the filter off: ethtool -K ${slave.name} rx-vlan-filter off`,
    };
  }
}

/** Sets our devices down again, since a manager that sets them up would give them addresses. */
function setDown(context: SlaveContext, state: State, have: ReadonlyMap<string, Device>): Shortfall[] {
  const { ours, damper } = state;
  const up = [...ours].map((id) => have.get(id)).filter((d) => d?.up) as Device[];
  if (up.length === 0) return [];
  const waitMs = damper.waitMs;
  if (waitMs > 0) {
    state.retryAt = performance.now() + waitMs;
    return [
      {
        key: 'up',
        severity: 'note',
        message: `somebody sets ${some(up.map((d) => d.name))} up again and again: it only lets a VLAN into ${context.slave.name} and is to stay down`,
        fix: 'make your network manager leave devices named vf*v* alone',
      },
    ];
  }
  damper.repaired();
  for (const d of up) context.rtnl.setLink(d.ifindex, { up: false });
  return [];
}

function remove({ rtnl }: SlaveContext, device: Device): void {
  try {
    rtnl.deleteLink(device.ifindex);
  } catch (e) {
    if (!(e instanceof VfError && e.code === 'DEVICE_NOT_FOUND')) throw e;
  }
}

function quarrel({ slave }: SlaveContext, damper: Damper, gone: readonly string[]): Shortfall {
  return {
    key: 'removed',
    severity: 'degraded',
    message: `somebody removes the devices that let VLANs into ${slave.name} again and again (made ${damper.repairs} times anew): VLAN ${some(gone)} does not come by it for now`,
    fix: 'make your network manager leave devices named vf*v* alone',
  };
}

function tooMany({ slave, master }: SlaveContext, left: readonly string[]): Shortfall {
  return {
    key: 'many',
    severity: 'degraded',
    message: `${master.name} has more than ${VLANS_MAX} VLANs and ${slave.name} filters them: VLAN ${some(left)} does not come by it`,
    fix: `turn the filter off where the driver can: ethtool -K ${slave.name} rx-vlan-filter off`,
  };
}
