import type { Device, Role } from '../device.js';
import type { JoinStep } from './transaction.js';
import type { InstanceView } from './view.js';

/** Why a slave leaves. `removed` and `master-removed` mean that the device named no longer exists. */
export type LeaveReason =
  | 'unregister'
  | 'removed'
  | 'master-removed'
  /** Its MAC, or the master's, is no longer the same. */
  | 'mac-changed'
  /** It may not be a slave any more: another owner took it, its MTU limit fell below the master's … */
  | 'ineligible';

/** A setting of a slave that must follow the master's. */
export type DriftField = 'mtu' | 'address';

/**
 * What an instance asks the outside to do: the analogue of the kernel's `struct failover_ops`
 * (include/net/failover.h). Every call is synchronous: a join that could be interleaved with a leave could
 * not be undone. A call must not call the registry's `register` or `unregister`; its other inputs are put
 * off until the current one is finished.
 */
export interface FailoverOps {
  /**
   * May `device` become a slave? (slave_pre_register.) Looks, changes nothing.
   * @throws VfError to refuse, with the reason: VLAN challenged, foreign program … Retried with backoff.
   */
  preRegister(instance: InstanceView, device: Device, role: Role): void;

  /**
   * What a join takes, in order (slave_register). In `transparent` the master itself is joined as `standby`.
   * @throws VfError to refuse, as `preRegister`.
   */
  joinSteps(instance: InstanceView, device: Device, role: Role): readonly JoinStep[];

  /** Before the steps are undone (slave_pre_unregister): the moment to move traffic off the slave. */
  preLeave(instance: InstanceView, device: Device, role: Role, reason: LeaveReason): void;

  /** After the steps are undone and the slot is empty (slave_unregister). */
  leave(instance: InstanceView, device: Device, role: Role, reason: LeaveReason): void;

  /**
   * `up`, `carrier` or `operstate` of a slave or of the master changed (slave_link_change). Called at DOWN,
   * well before the device is removed, and before anything else that the same change brings about.
   */
  linkChange(instance: InstanceView, device: Device): void;

  /** A slave or the master was renamed (slave_name_change). The join stands: devices are known by ifindex. */
  nameChange(instance: InstanceView, device: Device, oldName: string): void;

  /** A joined slave no longer has the master's MTU or MAC: set it again. The kernel ignores such drift. */
  drift(instance: InstanceView, device: Device, role: Role, fields: readonly DriftField[]): void;

  /**
   * What the instance needs before any slave is offered, undone after the last has left: the programs on a
   * master that is a device apart. A failure makes `register` throw.
   */
  masterSteps?(instance: InstanceView): readonly JoinStep[];
}

/** The calls an ops object must have. */
export const REQUIRED_OPS = [
  'preRegister',
  'joinSteps',
  'preLeave',
  'leave',
  'linkChange',
  'nameChange',
  'drift',
] as const satisfies readonly (keyof FailoverOps)[];
