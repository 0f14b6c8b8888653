import type { PinStore } from '../datapath/store.js';
import { type Device, identityMac, ROLES, type Role } from '../device.js';
import { STEERED } from '../models/table.js';
import { takeoversOf } from '../slave/table.js';
import type { SlaveContext, Takeover } from '../slave/takeover.js';
import { UndoLog } from '../slave/undo-log.js';
import { giveBack } from './arrivals.js';
import { driverOf } from './instance-ops.js';
import type { Pinned } from './kept.js';
import type { Namespace } from './namespace.js';

/**
 * Makes the slaves of a pinned instance what they were before they joined, where its master is gone and so it cannot be opened: whoever
 * used the VF before gets it back. Returns what failed; a slave that is gone, or is another device by now, is left alone.
 */
export function restoreSlaves(ns: Namespace, store: PinStore, pinned: Pinned): Error[] {
  const failed: Error[] = [];
  const attempt = (what: () => void): void => {
    try {
      what();
    } catch (e) {
      failed.push(e as Error);
    }
  };
  for (const role of ROLES) {
    const slave = slaveOf(ns, pinned, role);
    if (slave === undefined) continue;
    const undo = new UndoLog(store.undo, pinned.slot, role);
    const context = contextOf(ns, pinned, role, slave, undo);
    for (const takeover of asAtALeave(pinned)) attempt(() => takeover.restore(context, false));
    if (role === 'primary') attempt(() => giveBack({ undo, ns }));
  }
  return failed;
}

/** The device that still is that slave; undefined: there is none, or it is the master itself. */
function slaveOf(ns: Namespace, { id }: Pinned, role: Role): Device | undefined {
  const ifindex = id[`${role}Ifindex`];
  if (ifindex === 0 || ifindex === id.masterIfindex) return undefined;
  const device = ns.rtnl.link(ifindex);
  return device && [device.address, identityMac(device)].includes(id.mac) ? device : undefined;
}

/** A leave undoes the late ones first, and each kind backwards. */
function asAtALeave({ id }: Pinned): Takeover[] {
  const all = takeoversOf(STEERED[id.model]);
  return [...all.filter((t) => !t.late), ...all.filter((t) => t.late)].reverse();
}

function contextOf(
  ns: Namespace,
  { name, id }: Pinned,
  role: Role,
  slave: Device,
  undo: UndoLog,
): SlaveContext {
  const { rtnl, ethtool, filters, monitor, fd, enter } = ns;
  const none = (): number => 0;
  return {
    instance: name,
    traits: STEERED[id.model],
    role,
    // Only its index counts where there is nothing left to follow.
    master: { ...slave, ifindex: id.masterIfindex },
    slave,
    links: monitor.links,
    rtnl,
    ethtool,
    filters,
    groupsEither: true,
    // The programs that did go with the instance.
    foreignByStandby: () => {},
    driver: () => driverOf(ns, slave),
    netns: fd,
    enter,
    undo,
    addresses: 'remove',
    vlans: [],
    changes: { links: none, link: none, address: none, routes: none, qdisc: none, filters: none },
  };
}
