import { VfError } from '../errors.js';
import { ARPHRD_ETHER, type Device } from './device.js';
import { FailoverInstance } from './instance.js';
import { MODELS } from './model.js';
import type { InstanceSpec } from './spec.js';

type Instances = ReadonlyMap<string, FailoverInstance>;
type Devices = ReadonlyMap<number, Device>;

/**
 * Makes the instance of a checked spec, if it may exist beside the others (failover_register answers
 * -EINVAL to a master that is not Ethernet, and never asks whether there is another instance).
 * @throws VfError INSTANCE_EXISTS, DEVICE_NOT_FOUND, DEVICE_NOT_ETHERNET, DEVICE_OWNED, INSTANCE_LIMIT.
 */
export function admit(
  spec: InstanceSpec,
  instances: Instances,
  devices: Devices,
  maxInstances: number,
): FailoverInstance {
  const { name, model = 'transparent', ops, rules = {} } = spec;
  if (instances.has(name)) {
    throw exists(`an instance named ${name} exists already`, 'name', name, 'choose another name');
  }
  const ifindex = typeof spec.master === 'number' ? spec.master : spec.master.ifindex;
  const master = devices.get(ifindex);
  if (master === undefined) {
    throw new VfError('DEVICE_NOT_FOUND', `no device with ifindex ${ifindex} for the master of ${name}`, {
      field: 'master',
      value: ifindex,
      fix: 'see `ip link` in the same network namespace',
    });
  }
  if (master.type !== ARPHRD_ETHER) {
    throw new VfError(
      'DEVICE_NOT_ETHERNET',
      `${master.name} is not an Ethernet device (ARPHRD type ${master.type})`,
      {
        field: 'master',
        value: master.name,
        fix: 'choose an Ethernet device as master',
      },
    );
  }
  checkFree(master, instances);
  if (MODELS[model].standbyIsMaster) checkNotKernels(master, devices);
  const index = claimIndex(spec.index, instances, maxInstances);
  return new FailoverInstance({ name, index, model, master, rules, ops });
}

/** A device plays one part in one instance. */
function checkFree(master: Device, instances: Instances): void {
  for (const other of instances.values()) {
    if (other.master.ifindex === master.ifindex) {
      throw exists(
        `${master.name} is the master of ${other.name} already`,
        'master',
        master.name,
        'choose another master',
      );
    }
    const role = other.roleHeldBy(master.ifindex);
    if (role === undefined) continue;
    throw owned(
      master,
      `the ${role} of instance ${other.name}`,
      `vfailover detach ${other.name}, or choose another master`,
    );
  }
}

/**
 * Where the guest has accepted the STANDBY feature, the virtio netdev is already a slave of a net_failover
 * device, known by having the same bus parent and no kind; to steer below that one would have two failovers
 * work against each other.
 */
function checkNotKernels(master: Device, devices: Devices): void {
  const upper = master.master ? devices.get(master.master) : undefined;
  if (upper?.parentDev === undefined || upper.parentDev !== master.parentDev || upper.kind !== undefined)
    return;
  const fix = `use the model net-failover with master ${upper.name}`;
  throw owned(master, `a slave of the kernel's failover device ${upper.name}`, fix);
}

function claimIndex(wanted: number | undefined, instances: Instances, maxInstances: number): number {
  const used = new Map([...instances.values()].map((instance) => [instance.index, instance.name]));
  let index = wanted ?? 0;
  if (wanted === undefined) while (used.has(index)) index += 1;
  if (used.has(index)) {
    throw exists(`slot ${index} belongs to ${used.get(index)}`, 'index', index, 'leave the index out');
  }
  if (index < maxInstances) return index;
  throw new VfError('INSTANCE_LIMIT', `there is room for ${maxInstances} instances`, {
    field: 'index',
    value: index,
    fix: 'detach an instance, or start the daemon with a higher limit',
  });
}

function exists(message: string, field: string, value: unknown, fix: string): VfError {
  return new VfError('INSTANCE_EXISTS', message, { field, value, fix });
}

function owned(master: Device, as: string, fix: string): VfError {
  return new VfError('DEVICE_OWNED', `${master.name} is ${as}`, { field: 'master', value: master.name, fix });
}
