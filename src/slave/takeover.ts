import type { Device, Role } from '../device.js';
import type { Shortfall } from '../impairments.js';
import type { SteeredModel } from '../models/model.js';
import type { Ethtool, FilterLists, Rtnl } from '../netlink/index.js';
import { JoinRefused } from '../registry/transaction.js';
import type { UndoLog } from './undo-log.js';

/** Time between two looks at what no message tells of, ms. */
export const KEEP_MS = 80;

/** What a takeover works with. Devices are the facts of this moment. */
export interface SlaveContext {
  readonly instance: string;
  /** What the instance's model is like. */
  readonly traits: SteeredModel;
  readonly role: Role;
  readonly master: Device;
  readonly slave: Device;
  /** All devices of the namespace, by ifindex. */
  readonly links: ReadonlyMap<number, Device>;
  readonly rtnl: Rtnl;
  readonly ethtool: Ethtool;
  /** What all devices of the namespace let in. */
  readonly filters: FilterLists;
  /** Name of the slave's driver, as ethtool has it; undefined: it has none. */
  readonly driver: () => string | undefined;
  /** True: group frames that the standby brings are let in while the primary is active (`groups: either`). */
  readonly groupsEither: boolean;
  /** Makes frames from other MACs than this one leave by the standby, whatever is active; undefined: by the active slave. */
  readonly foreignByStandby: (mac: string | undefined) => void;
  /** fd of the namespace. */
  readonly netns: number;
  /** Runs a function with the calling thread in the namespace. */
  readonly enter: <T>(fn: () => T) => T;
  /** The same object as long as the instance lives: what takeovers remember of a slave belongs to it. */
  readonly undo: UndoLog;
  /** VLAN ids that are let in whatever is seen on the master (`slave_vlans`). */
  readonly vlans: readonly number[];
  /** What becomes of addresses that somebody has given the slave (`slave_addresses`). */
  readonly addresses: 'remove' | 'refuse';
  /** Count the kernel's messages about a device: as long as they give the same, nothing has changed. */
  readonly changes: {
    /** Changes of any device of the namespace. */
    readonly links: () => number;
    readonly link: (ifindex: number) => number;
    readonly address: (ifindex: number) => number;
    /** Of its qdiscs and the filters in them. */
    readonly qdisc: (ifindex: number) => number;
    /** Of routes by the device. */
    readonly routes: (ifindex: number) => number;
    /** Of what a device lets in, as `filters` has seen it. */
    readonly filters: (ifindex: number) => number;
  };
}

/** Thrown by `follow`: the slave cannot be what its master is, and leaves with this reason. It is tried again later. */
export class SlaveUnfit extends JoinRefused {}

/** A row of table.ts. Each slave gets one of its own, so it may remember what it saw. */
export type TakeoverKind = () => Takeover;

/**
 * One thing that a slave takes over from its master: groups, VLANs, the MAC … Each is a file of this folder and a row of table.ts.
 * Every change is kept in the undo log before it is made, so that any later daemon can take it back.
 */
export interface Takeover {
  /** As in `status`, in names of join steps, and where a model says that its kernel does it already: `groups`. */
  readonly name: string;
  /** Done after the programs are on the slave, and undone before they go. */
  readonly late?: true;
  /**
   * Brings the slave in line with its master. Called when the slave joins, when a fact of a device has changed, and at times while it
   * tells of a shortfall; so it compares first and is cheap when nothing differs.
   * @returns what could not be brought in line.
   * @throws VfError to refuse the join; later it is told as an impairment. SlaveUnfit to refuse the join, and later to leave.
   */
  follow(context: SlaveContext): readonly Shortfall[];
  /** Asked after each `follow`: true if it is to be called again within `KEEP_MS` although nothing changes. Default: false. */
  waits?(context: SlaveContext): boolean;
  /** Takes back what `follow` has changed. `gone`: the slave's device exists no more, so only what lies outside it is restored. */
  restore(context: SlaveContext, gone: boolean): void;
}
