import { type Device, isReady, type Part } from '../device.js';
import type { FailoverInstance } from './instance.js';
import { callOp, type JoinContext } from './join.js';
import type { DriftField } from './ops.js';

/**
 * The part that a device plays in an instance now, if any. A master that is its own standby counts as
 * standby.
 */
export function partOf(instance: FailoverInstance, ifindex: number): Part | undefined {
  return instance.roleHeldBy(ifindex) ?? (instance.master.ifindex === ifindex ? 'master' : undefined);
}

/** Did anything change but the state of the link? Only that can alter who matches whom. */
export function settingsChanged(before: Device, after: Device): boolean {
  const { carrier: _c, operstate: _o, ...a } = before;
  const { carrier: _d, operstate: _p, ...b } = after;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof typeof a>;
  for (const key of keys) {
    // `xdp` is the one field that is not a plain value.
    if (a[key] !== b[key] && JSON.stringify(a[key]) !== JSON.stringify(b[key])) return true;
  }
  return false;
}

/**
 * Tells of link and name changes of a slave or master. The link comes first: a DOWN moves traffic at once,
 * while the removal that may follow it is milliseconds away (failover_slave_link_change,
 * failover_slave_name_change).
 */
export function tellLinkAndName(
  ctx: JoinContext,
  instance: FailoverInstance,
  before: Device,
  device: Device,
): void {
  const part = partOf(instance, device.ifindex);
  if (part === undefined) return;
  const { up, carrier, operstate, name: oldName } = before;
  if (up !== device.up || carrier !== device.carrier || operstate !== device.operstate) {
    callOp(ctx, instance, 'linkChange', () => instance.ops.linkChange(instance, device));
    ctx.events.push({ type: 'link', instance, device, part, ready: isReady(device) });
  }
  if (oldName !== device.name) {
    callOp(ctx, instance, 'nameChange', () => instance.ops.nameChange(instance, device, oldName));
    ctx.events.push({ type: 'name', instance, device, part, oldName });
  }
}

/**
 * Tells of slaves that stopped following the master's MTU or MAC by the change of `device`, be it slave or
 * master.
 */
export function tellDrift(
  ctx: JoinContext,
  instance: FailoverInstance,
  before: Device,
  device: Device,
): void {
  const byMaster = instance.master.ifindex === device.ifindex;
  for (const [role, { device: slave }] of instance.joined) {
    if (slave.ifindex === instance.master.ifindex) continue;
    if (byMaster || slave.ifindex === device.ifindex) {
      const fields = driftOf(instance, slave, before, device);
      if (fields.length > 0)
        callOp(ctx, instance, 'drift', () => instance.ops.drift(instance, slave, role, fields));
    }
  }
}

/** What the change of a device has made differ between master and slave. */
function driftOf(
  { master, traits }: FailoverInstance,
  slave: Device,
  before: Device,
  device: Device,
): DriftField[] {
  const fields: DriftField[] = [];
  if (before.mtu !== device.mtu && slave.mtu !== master.mtu) fields.push('mtu');
  if (traits.sameMac && before.address !== device.address && slave.address !== master.address)
    fields.push('address');
  return fields;
}
