import type { Device, Role } from '../device.js';
import { VfError } from '../errors.js';
import { arbitrate, goesElsewhere, manyDevices, slotTaken } from './claims.js';
import type { FailoverInstance } from './instance.js';
import { type JoinContext, joinFacts, leave, mayTry, refuse, tryJoin } from './join.js';
import { mustLeave, type NameOf } from './match.js';

/** What settling needs of its registry. */
export interface SettleContext extends JoinContext {
  readonly devices: ReadonlyMap<number, Device>;
  readonly instances: ReadonlyMap<string, FailoverInstance>;
}

interface Candidate {
  readonly device: Device;
  readonly explicit: boolean;
}

/**
 * Standby first: where the master is the standby, no primary can be hidden below it until the master has
 * joined.
 */
const FILL_ORDER: readonly Role[] = ['standby', 'primary'];

/**
 * Brings instances in line with the facts: slaves that may not stay leave, then free slots are filled. All
 * leave before any joins, so that a device which changes hands is free by then.
 */
export function settle(ctx: SettleContext, concerned: Iterable<FailoverInstance>): void {
  const instances = [...concerned].filter((instance) => ctx.instances.get(instance.name) === instance);
  const nameOf: NameOf = (ifindex) => ctx.devices.get(ifindex)?.name;
  for (const instance of instances) expel(ctx, instance, nameOf);
  for (const instance of instances) fill(ctx, instance, nameOf);
}

function expel(ctx: SettleContext, instance: FailoverInstance, nameOf: NameOf): void {
  for (const [role, { device, explicit }] of [...instance.joined]) {
    const error = mustLeave(instance, device, { role, explicit }, nameOf);
    const other = !explicit && goesElsewhere(instance, device, ctx.instances.values());
    if (error !== undefined || other)
      leave(ctx, instance, role, other || error?.code === 'MAC_MISMATCH' ? 'mac-changed' : 'ineligible');
  }
}

function fill(ctx: SettleContext, instance: FailoverInstance, nameOf: NameOf): void {
  const candidates: Record<Role, Candidate[]> = { primary: [], standby: [] };
  for (const device of ctx.devices.values()) {
    if (instance.roleHeldBy(device.ifindex) !== undefined) continue;
    const result = arbitrate(instance, device, ctx.instances.values(), nameOf);
    if ('refused' in result) refuse(ctx, instance, { device, role: result.role, error: result.refused });
    else if (!result.match) forget(instance, device);
    else candidates[result.role].push({ device, explicit: result.explicit });
  }
  for (const role of FILL_ORDER) fillSlot(ctx, instance, role, candidates[role]);
}

function forget(instance: FailoverInstance, { ifindex }: Device): void {
  if (instance.refusals.get(ifindex)?.expelled !== true) instance.refusals.delete(ifindex);
}

function fillSlot(ctx: SettleContext, instance: FailoverInstance, role: Role, candidates: Candidate[]): void {
  const explicit = candidates.filter((candidate) => candidate.explicit);
  const contenders = explicit.length > 0 ? explicit : candidates;
  const holder = instance.joined.get(role)?.device ?? explicit[0]?.device;
  const devices = contenders.map((candidate) => candidate.device);
  const waitsFor = role === 'primary' ? missingMaster(instance) : undefined;
  for (const candidate of candidates) {
    const { device } = candidate;
    const taken = instance.joined.has(role) || !contenders.includes(candidate);
    if (taken && holder !== undefined) {
      refuse(ctx, instance, { device, role, error: slotTaken(instance, role, device, holder) });
    } else if (contenders.length > 1) {
      refuse(ctx, instance, { device, role, error: manyDevices(instance, role, devices) });
    } else if (waitsFor !== undefined) {
      refuse(ctx, instance, { device, role, error: waitsFor });
    } else if (mayTry(instance.refusals.get(device.ifindex), joinFacts(instance, device), ctx.now())) {
      tryJoin(ctx, instance, device, role, candidate.explicit);
    }
  }
}

/**
 * Where the master is the standby, a primary waits for it: with no program on the master, nothing would
 * steer to it.
 */
function missingMaster(instance: FailoverInstance): VfError | undefined {
  if (!instance.traits.standbyIsMaster || instance.joined.has('standby')) return undefined;
  const reason = instance.refusals.get(instance.master.ifindex)?.error;
  return new VfError(
    'PATH_NOT_READY',
    `master ${instance.master.name} of ${instance.name} has not joined yet`,
    {
      field: 'master',
      value: instance.master.name,
      fix: reason?.fix ?? 'see why its standby is refused in `vfailover status`',
      cause: reason,
    },
  );
}
