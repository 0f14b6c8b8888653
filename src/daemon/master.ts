import { existsSync } from 'node:fs';
import type { InstanceConfig } from '../config/index.js';
import type { Device } from '../device.js';
import { MODELS } from '../models/table.js';
import { type DeviceFacts, sameMacAs, selectMaster, swappedRoles } from '../registry/master.js';
import type { Namespace } from './namespace.js';

/** What a device's driver says of it; nothing if it is gone or renamed at this moment. */
export function factsOf(ns: Namespace, device: Device): DeviceFacts {
  const { parentBus, parentDev } = device;
  const virtualFunction = parentBus === 'pci' && existsSync(`/sys/bus/pci/devices/${parentDev}/physfn`);
  try {
    const said = ns.control.driver(device.name);
    return { device, driver: said?.driver, busInfo: said?.busInfo || undefined, virtualFunction };
  } catch {
    return { device, driver: undefined, busInfo: undefined, virtualFunction };
  }
}

/** The master that the configuration names. Throws DEVICE_NOT_FOUND, MAC_AMBIGUOUS. */
export const findMaster = (ns: Namespace, { master, model }: InstanceConfig): Device =>
  selectMaster(master, model, ns.rtnl.links(), (d) => factsOf(ns, d));

/** Throws MASTER_UNFIT if the master plainly is the VF. */
export function refuseSwapped(ns: Namespace, config: InstanceConfig, master: Device): void {
  if (!config.check_roles || !MODELS[config.model].standbyIsMaster) return;
  const others = sameMacAs(master, ns.rtnl.links()).map((d) => factsOf(ns, d));
  const error = swappedRoles(factsOf(ns, master), others);
  if (error) throw error;
}

/** Throws MASTER_UNFIT if `primary`, which is about to join, plainly should be the master. */
export function refuseSwappedPrimary(ns: Namespace, master: Device, primary: Device): void {
  const error = swappedRoles(factsOf(ns, master), [factsOf(ns, primary)]);
  if (error) throw error;
}
