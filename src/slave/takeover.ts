import type { Device, Role } from '../device.js';
import type { Shortfall } from '../impairments.js';
import type { SteeredModel } from '../models/model.js';
import type { Ethtool, FilterLists, Rtnl } from '../netlink/index.js';
import { JoinRefused } from '../registry/transaction.js';
import type { UndoLog } from './undo-log.js';

/** Interval of looks at facts that no message tells of, ms. */
export const KEEP_MS = 80;

/** Facts and tools of a takeover. Devices are as they are at this moment. */
export interface SlaveContext {
  readonly instance: string;
  /** Traits of the instance's model. */
  readonly traits: SteeredModel;
  readonly role: Role;
  readonly master: Device;
  readonly slave: Device;
  /** All devices of the namespace, by ifindex. */
  readonly links: ReadonlyMap<number, Device>;
  readonly rtnl: Rtnl;
  readonly ethtool: Ethtool;
  /** Addresses that the devices of the namespace let in. */
  readonly filters: FilterLists;
  /** Name of the slave's driver, as ethtool has it. undefined: none. */
  readonly driver: () => string | undefined;
  /** True if group frames of the standby are let in while the primary is active (`groups: either`). */
  readonly groupsEither: boolean;
  /** Makes frames from other MACs than this one leave by the standby, whatever is active. undefined: they leave by the active slave. */
  readonly foreignByStandby: (mac: string | undefined) => void;
  /** fd of the namespace. */
  readonly netns: number;
  /** Runs a function with the calling thread in the namespace. */
  readonly enter: <T>(fn: () => T) => T;
  /** The instance's undo log, the same object as long as the instance lives. State that takeovers keep of a slave belongs to it. */
  readonly undo: UndoLog;
  /** VLAN ids that are let in whatever is seen on the master (`slave_vlans`). */
  readonly vlans: readonly number[];
  /** Treatment of addresses that somebody has given the slave (`slave_addresses`). */
  readonly addresses: 'remove' | 'refuse';
  /** Counters of the kernel's messages about a device. While they stay the same, nothing has changed. */
  readonly changes: {
    /** Changes of any device of the namespace. */
    readonly links: () => number;
    readonly link: (ifindex: number) => number;
    readonly address: (ifindex: number) => number;
    /** Changes of its qdiscs and the filters in them. */
    readonly qdisc: (ifindex: number) => number;
    /** Changes of routes by the device. */
    readonly routes: (ifindex: number) => number;
    /** Changes of the addresses that a device lets in, as `filters` has seen them. */
    readonly filters: (ifindex: number) => number;
  };
}

/** Thrown by `follow` if the slave cannot be what its master is. The slave leaves with this reason, and is tried again later. */
export class SlaveUnfit extends JoinRefused {}

/** A row of table.ts. Each slave gets a takeover of its own, which may therefore remember what it saw. */
export type TakeoverKind = () => Takeover;

/**
 * One thing that a slave takes over from its master, such as groups, VLANs or the MAC. Each is a file of this folder and a row of table.ts.
 * Every change is kept in the undo log before it is made, so that any later daemon can take it back.
 */
export interface Takeover {
  /** Name in `status` and of the join step, such as `groups`. A model uses it to say that its kernel does the takeover already. */
  readonly name: string;
  /** True if it is done after the programs are on the slave, and undone before they go. */
  readonly late?: true;
  /**
   * Brings the slave in line with its master. Called when the slave joins, when a fact of a device has changed, and at times while a shortfall
   * stands. So it compares first, and is cheap when nothing differs.
   * @returns the shortfalls: what could not be brought in line.
   * @throws VfError to refuse the join, or later to report an impairment. SlaveUnfit to refuse the join, or later to leave.
   */
  follow(context: SlaveContext): readonly Shortfall[];
  /** True if `follow` is to be called again within `KEEP_MS` although nothing changes. Asked after each `follow`. Default: false. */
  waits?(context: SlaveContext): boolean;
  /** Takes back the changes of `follow`. With `gone` the slave's device exists no more, so only state outside it is restored. */
  restore(context: SlaveContext, gone: boolean): void;
}
