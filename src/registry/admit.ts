import { ARPHRD_ETHER, type Device } from '../device.js';
import { VfError } from '../errors.js';
import { DEFAULT_MODEL, MODELS, type ModelName } from '../models/table.js';
import { FailoverInstance } from './instance.js';
import { sameParent } from './match.js';
import type { InstanceSpec } from './spec.js';

type Instances = ReadonlyMap<string, FailoverInstance>;
type Devices = ReadonlyMap<number, Device>;

/**
 * Makes the instance of a checked spec, if it may exist beside the others (failover_register answers
 * -EINVAL to a master that is not Ethernet, and never asks whether there is another instance).
 * @throws VfError INSTANCE_EXISTS, DEVICE_NOT_FOUND, DEVICE_NOT_ETHERNET, DEVICE_OWNED, MASTER_UNFIT, INSTANCE_LIMIT.
 */
export function admit(
  spec: InstanceSpec,
  instances: Instances,
  devices: Devices,
  maxInstances: number,
): FailoverInstance {
  const { name, model = DEFAULT_MODEL, ops, rules = {} } = spec;
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
  if (MODELS[model].standbyIsMaster) checkNotKernels(model, master, devices);
  if (MODELS[model].masterOwnsSlaves) checkKernels(name, master, devices);
  const index = claimIndex(spec.index, instances, maxInstances);
  const { formerMac } = spec;
  return new FailoverInstance({
    name,
    index,
    model,
    master,
    rules,
    ops,
    ...(formerMac !== undefined && { formerMac }),
  });
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

/** The standby of a failover master that the kernel made: a device of the same bus parent, which belongs to it. */
function kernelsStandby(master: Device, devices: Devices): Device | undefined {
  if (master.kind !== undefined) return undefined;
  for (const device of devices.values())
    if (device.master === master.ifindex && sameParent(device, master)) return device;
  return undefined;
}

/**
 * Where the guest has accepted the STANDBY feature, the virtio netdev is already a slave of a net_failover
 * device; to steer below that one would have two failovers work against each other.
 */
function checkNotKernels(model: ModelName, master: Device, devices: Devices): void {
  const upper = master.master ? devices.get(master.master) : undefined;
  if (upper !== undefined && kernelsStandby(upper, devices)?.ifindex === master.ifindex) {
    const fix = `use the model net-failover with master ${upper.name}`;
    throw owned(master, `a slave of the kernel's failover device ${upper.name}`, fix);
  }
  if (kernelsStandby(master, devices) === undefined) return;
  throw new VfError('MASTER_UNFIT', `${master.name} is a failover device of the kernel's own`, {
    field: 'model',
    value: model,
    fix: `use the model net-failover with master ${master.name}`,
  });
}

function checkKernels(name: string, master: Device, devices: Devices): void {
  if (kernelsStandby(master, devices) !== undefined) return;
  const upper = master.master ? devices.get(master.master) : undefined;
  const meant = upper !== undefined && kernelsStandby(upper, devices) !== undefined;
  throw new VfError(
    'MASTER_UNFIT',
    `master ${master.name} of ${name} is no failover device of the kernel's`,
    {
      field: 'master',
      value: master.name,
      fix: meant
        ? `set master to ${upper.name}, which ${master.name} belongs to`
        : 'give the virtio device the STANDBY feature (QEMU: failover=on), or use the model transparent',
    },
  );
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
