import type { Datapath } from '../datapath/datapath.js';
import { foreignPrograms } from '../datapath/hooks.js';
import type { UndoMap } from '../datapath/undo-map.js';
import type { Device, Role } from '../device.js';
import { VfError } from '../errors.js';
import type { FailoverOps, LeaveReason } from '../registry/ops.js';
import type { JoinStep } from '../registry/transaction.js';
import type { InstanceView } from '../registry/view.js';
import type { SlaveKeeper } from '../slave/keeper.js';
import type { SlaveContext } from '../slave/takeover.js';
import { UndoLog } from '../slave/undo-log.js';
import { refuseSwappedPrimary } from './master.js';
import type { Namespace } from './namespace.js';

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

/** How an instance takes its slaves. */
export interface InstanceOptions {
  /** Refuse a VF that plainly should be the master. */
  readonly roles: boolean;
  /** Throws if another vfailover steers the device. */
  otherOwners(device: Device): void;
  /** `slave_addresses` of the configuration. */
  readonly slaveAddresses: 'remove' | 'refuse';
  /** `slave_vlans` of the configuration. */
  readonly slaveVlans: readonly number[];
  /** `groups: either` of the configuration. */
  readonly groupsEither: boolean;
}

/** Name of a device's driver; undefined: it has none, or is just going. */
export function driverOf({ control }: Namespace, device: Device): string | undefined {
  try {
    return control.driver(device.name)?.driver;
  } catch {
    return undefined;
  }
}

/** What an instance asks of the outside. What a slave takes over at its join, and later, is its keeper's. */
export class InstanceOps implements FailoverOps {
  readonly #ns: Namespace;
  readonly #datapath: Datapath;
  /** What has to be taken back on each slave. */
  readonly undo: Readonly<Record<Role, UndoLog>>;
  readonly #options: InstanceOptions;
  /** Why the primary is leaving, for the record of the flip that this causes. */
  leaving: LeaveReason | undefined;
  onLink: (device: Device) => void = () => {};
  /** A slave is not what its master is. */
  onDrift: () => void = () => {};
  /** Keeps the slave what its master is. */
  keeper: SlaveKeeper | undefined;

  constructor(ns: Namespace, datapath: Datapath, undo: UndoMap, options: InstanceOptions) {
    this.#ns = ns;
    this.#options = options;
    this.#datapath = datapath;
    const logOf = (role: Role): UndoLog => new UndoLog(undo, datapath.slot, role);
    this.undo = { primary: logOf('primary'), standby: logOf('standby') };
  }

  preRegister(instance: InstanceView, device: Device, role: Role): void {
    const { primaryIfindex, standbyIfindex } = this.#datapath.identity;
    if (device.ifindex === instance.master.ifindex) return; // looked at before there was an instance
    if (instance.traits.masterOwnsSlaves && device.master !== instance.master.ifindex)
      throw notTaken(instance, device, role);
    if (this.#options.roles && instance.traits.standbyIsMaster)
      refuseSwappedPrimary(this.#ns, instance.master, device);
    if (device.ifindex === (role === 'primary' ? primaryIfindex : standbyIfindex)) return;
    this.#options.otherOwners(device);
    refuseForeign(this.#ns, device);
  }

  joinSteps(instance: InstanceView, device: Device, role: Role): readonly JoinStep[] {
    if (device.ifindex === instance.master.ifindex) return [];
    const attach: JoinStep = {
      name: 'attach programs',
      do: () => this.#datapath.attachSlave(role, device.ifindex),
      undo: () => this.#datapath.detachSlave(role),
    };
    const { early, late } = this.keeper?.steps(this.contextOf(instance, device, role)) ?? {
      early: [],
      late: [],
    };
    return [...early, attach, ...late];
  }

  /** What a takeover works with. */
  contextOf(instance: InstanceView, slave: Device, role: Role): SlaveContext {
    const { rtnl, ethtool, filters, monitor, fd, enter, addressWatch, routeWatch, tc } = this.#ns;
    return {
      instance: instance.name,
      traits: this.#datapath.traits,
      role,
      master: instance.master,
      slave,
      links: monitor.links,
      rtnl,
      ethtool,
      filters,
      groupsEither: this.#options.groupsEither,
      vlans: this.#options.slaveVlans,
      foreignByStandby: (mac) => this.#datapath.foreignByStandby(mac),
      driver: () => driverOf(this.#ns, slave),
      netns: fd,
      enter,
      undo: this.undo[role],
      addresses: this.#options.slaveAddresses,
      changes: {
        links: () => monitor.version,
        link: monitor.changes,
        address: addressWatch.count,
        qdisc: tc.changes,
        routes: routeWatch.count,
        filters: filters.changes,
      },
    };
  }

  /** Before anything is undone: no frame goes to the leaving slave any more. */
  preLeave(_instance: InstanceView, _device: Device, role: Role, reason: LeaveReason): void {
    if (role === 'standby') return;
    this.leaving = reason;
    if (reason === 'unregister') this.#datapath.unsteer();
    else this.#datapath.abandonPrimary();
  }

  leave(): void {}

  linkChange(_instance: InstanceView, device: Device): void {
    this.onLink(device);
  }

  nameChange(): void {}

  drift(): void {
    this.onDrift();
  }
}

function notTaken({ master }: InstanceView, device: Device, role: Role): VfError {
  return new VfError('SLAVE_NOT_TAKEN', `${device.name} is not a slave of ${master.name}`, {
    field: role,
    value: device.name,
    fix: `see the kernel's log for why ${master.name} refused it: a primary has to be a PCI device with the MAC of ${master.name}`,
  });
}
