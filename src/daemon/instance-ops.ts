import { VfUndo } from '../../bpf/vfailover.bpf.js';
import type { Datapath } from '../datapath/datapath.js';
import { foreignPrograms } from '../datapath/hooks.js';
import type { UndoMap } from '../datapath/undo-map.js';
import { VfError } from '../errors.js';
import type { Device, Role } from '../failover/device.js';
import type { FailoverInstance } from '../failover/instance.js';
import type { DriftField, FailoverOps, LeaveReason } from '../failover/ops.js';
import type { JoinStep } from '../failover/transaction.js';
import type { LinkChange, Rtnl } from '../netlink/index.js';
import type { SlaveKeeper } from '../slave/keeper.js';
import type { SlaveContext } from '../slave/takeover.js';
import { UndoLog } from '../slave/undo-log.js';
import { refuseSwappedPrimary } from './master.js';
import type { Namespace } from './namespace.js';

/** IFLA_INET6_ADDR_GEN_MODE none: the kernel makes no link-local address, so nothing is autoconfigured on a slave. */
const ADDR_GEN_NONE = 1;

/** Throws DEVICE_FOREIGN_PROGRAM when somebody else's program sits where ours would go: it is reported, never removed. */
export function refuseForeign(ns: Namespace, device: Device): void {
  const names = ns.enter(() => foreignPrograms(device.ifindex));
  if (device.xdp) names.push(`XDP program id ${device.xdp.progId} (${device.xdp.mode})`);
  if (names.length === 0) return;
  throw new VfError(
    'DEVICE_FOREIGN_PROGRAM',
    `${device.name} carries a program that is not ours: ${names.join(', ')}`,
    {
      field: 'device',
      value: device.name,
      fix: `look at \`bpftool net show dev ${device.name}\`; stop what owns it, or detach it, then try again`,
    },
  );
}

/** What a device is asked before it joins. */
export interface JoinChecks {
  /** Refuse a VF that plainly should be the master. */
  readonly roles: boolean;
  /** Throws if another vfailover steers the device. */
  otherOwners(device: Device): void;
}

/** Name of a device's driver; undefined: it has none, or is just going. */
function driverOf({ control }: Namespace, device: Device): string | undefined {
  try {
    return control.driver(device.name)?.driver;
  } catch {
    return undefined;
  }
}

/**
 * What an instance asks of the outside. What joining a slave changes is written into the pinned identity first, so that a later daemon
 * can undo it.
 */
export class InstanceOps implements FailoverOps {
  readonly #ns: Namespace;
  readonly #datapath: Datapath;
  readonly #undo: UndoLog;
  readonly #checks: JoinChecks;
  /** Why the primary is leaving, for the record of the flip that this causes. */
  leaving: LeaveReason | undefined;
  onLink: (device: Device) => void = () => {};
  /** `groups: either` of the configuration. */
  groupsEither = true;
  /** Keeps the slave what its master is. */
  keeper: SlaveKeeper | undefined;

  constructor(ns: Namespace, datapath: Datapath, undo: UndoMap, checks: JoinChecks) {
    this.#ns = ns;
    this.#checks = checks;
    this.#undo = new UndoLog(undo, datapath.slot);
    this.#datapath = datapath;
  }

  preRegister(instance: FailoverInstance, device: Device, role: Role): void {
    const { primaryIfindex, standbyIfindex } = this.#datapath.identity;
    if (device.ifindex === instance.master.ifindex) return; // looked at before there was an instance
    if (instance.traits.masterOwnsSlaves && device.master !== instance.master.ifindex)
      throw notTaken(instance, device, role);
    if (this.#checks.roles && instance.traits.standbyIsMaster)
      refuseSwappedPrimary(this.#ns, instance.master, device);
    if (device.ifindex === (role === 'primary' ? primaryIfindex : standbyIfindex)) return;
    this.#checks.otherOwners(device);
    refuseForeign(this.#ns, device);
  }

  joinSteps(instance: FailoverInstance, device: Device, role: Role): readonly JoinStep[] {
    if (device.ifindex === instance.master.ifindex) return [];
    const attach: JoinStep = {
      name: 'attach programs',
      do: () => this.#datapath.attachSlave(role, device.ifindex),
      undo: () => this.#datapath.detachSlave(role),
    };
    const takeovers = this.keeper?.steps(this.contextOf(instance, device, role)) ?? [];
    // Such a master has set the MTU and opened the slave itself.
    if (instance.traits.masterOwnsSlaves) return [...takeovers, attach];
    const mtu = instance.master.mtu;
    return [
      this.#setting('no IPv6 address of its own', VfUndo.VF_UNDO_ADDR_GEN_MODE, device.ifindex, {
        // On a device that is up already the setting would only take away an address that somebody uses.
        change: (now) =>
          now.up || now.addrGenMode === ADDR_GEN_NONE ? undefined : { addrGenMode: ADDR_GEN_NONE },
        save: (now) => ({ undoAddrGenMode: now.addrGenMode ?? 0 }),
        restore: (id) => ({ addrGenMode: id.undoAddrGenMode }),
      }),
      this.#setting(`set mtu ${mtu}`, VfUndo.VF_UNDO_MTU, device.ifindex, {
        change: (now) => (now.mtu === mtu ? undefined : { mtu }),
        save: (now) => ({ undoMtu: now.mtu }),
        restore: (id) => ({ mtu: id.undoMtu }),
      }),
      ...takeovers,
      attach,
      this.#setting('set up', VfUndo.VF_UNDO_ADMIN_DOWN, device.ifindex, {
        change: (now) => (now.up ? undefined : { up: true }),
        save: () => ({}),
        restore: () => ({ up: false }),
      }),
    ];
  }

  /** What a takeover works with. */
  contextOf(instance: FailoverInstance, slave: Device, role: Role): SlaveContext {
    const { rtnl, ethtool, filters, monitor, fd, enter } = this.#ns;
    return {
      instance: instance.name,
      model: instance.model,
      role,
      master: instance.master,
      slave,
      links: monitor.links,
      linksVersion: monitor.version,
      rtnl,
      ethtool,
      filters,
      groupsEither: this.groupsEither,
      foreignByStandby: (mac) => this.#datapath.foreignByStandby(mac),
      driver: () => driverOf(this.#ns, slave),
      netns: fd,
      enter,
      undo: this.#undo,
    };
  }

  /** A change of one setting, remembered with what it was. A later daemon that joins the same device again finds it made already. */
  #setting(
    name: string,
    bit: number,
    ifindex: number,
    how: {
      change: (now: Device) => LinkChange | undefined;
      save: (now: Device) => Partial<Datapath['identity']>;
      restore: (id: Datapath['identity']) => LinkChange;
    },
  ): JoinStep {
    const rtnl: Rtnl = this.#ns.rtnl;
    const datapath = this.#datapath;
    return {
      name,
      do() {
        const now = rtnl.link(ifindex);
        if (!now)
          throw new VfError('DEVICE_NOT_FOUND', `device ${ifindex} is gone`, {
            field: 'ifindex',
            value: ifindex,
          });
        const change = how.change(now);
        if (!change) return;
        const { undo } = datapath.identity;
        datapath.remember((undo & bit) === 0 ? { ...how.save(now), undo: undo | bit } : {});
        rtnl.setLink(ifindex, change);
      },
      undo(gone) {
        const id = datapath.identity;
        if ((id.undo & bit) === 0) return;
        datapath.remember({ undo: id.undo & ~bit });
        if (!gone) rtnl.setLink(ifindex, how.restore(id));
      },
    };
  }

  /** Before anything is undone: no frame goes to the leaving slave any more. */
  preLeave(_instance: FailoverInstance, _device: Device, role: Role, reason: LeaveReason): void {
    if (role === 'standby') return;
    this.leaving = reason;
    if (reason === 'unregister') this.#datapath.unsteer();
    else this.#datapath.abandonPrimary();
  }

  leave(): void {}

  linkChange(_instance: FailoverInstance, device: Device): void {
    this.onLink(device);
  }

  nameChange(): void {}

  /** The registry may not know the master's new MTU yet, where the kernel's own driver has just changed all three. */
  drift(instance: FailoverInstance, device: Device, _role: Role, fields: readonly DriftField[]): void {
    if (!fields.includes('mtu')) return;
    const mtu = this.#ns.rtnl.link(instance.master.ifindex)?.mtu;
    if (mtu !== undefined && this.#ns.rtnl.link(device.ifindex)?.mtu !== mtu)
      this.#ns.rtnl.setLink(device.ifindex, { mtu });
  }
}

function notTaken({ master }: FailoverInstance, device: Device, role: Role): VfError {
  return new VfError('SLAVE_NOT_TAKEN', `${device.name} is not a slave of ${master.name}`, {
    field: role,
    value: device.name,
    fix: `see the kernel's log for why ${master.name} refused it: a primary has to be a PCI device with the MAC of ${master.name}`,
  });
}
