import { ARPHRD_ETHER, type Device, identityMac, normaliseMac } from '../device.js';
import { VfError } from '../errors.js';
import { MODELS, type ModelName } from '../models/table.js';
import { stackedOn } from './match.js';

/** Names a master. All the fields given must agree; at least one is needed. */
export interface MasterSelector {
  readonly name?: string;
  /** Permanent or current MAC. */
  readonly mac?: string;
  /** Bus address, `0000:01:10.0` or `virtio0`, with or without its bus in front. */
  readonly bus?: string;
  /** As `ethtool -i` has it. */
  readonly driver?: string;
}

/** A master as configured: a name, an ifindex, or what it is. */
export type MasterChoice = string | number | MasterSelector;

/** A device with what rtnetlink does not tell of it. */
export interface DeviceFacts {
  readonly device: Device;
  readonly driver: string | undefined;
  /** ETHTOOL_GDRVINFO's bus_info: of a virtio device the address of its PCI function. */
  readonly busInfo: string | undefined;
  /** It is a PCI virtual function whose physical one is in this machine. */
  readonly virtualFunction: boolean;
}

/** Drivers of paravirtual devices, which migrate with a guest. */
const MOVABLE: ReadonlySet<string> = new Set(['virtio_net', 'hv_netvsc', 'vif']);

/** Drivers that bind to virtual functions and nothing else (drivers/net/ethernet of Linux 7). */
const VF_DRIVERS: ReadonlySet<string> = new Set(
  'igbvf ixgbevf iavf i40evf cxgb4vf rvu_nicvf thunder-nicvf nfp_netvf fsl_enetc_vf LiquidIO_VF octeon_ep_vf'.split(
    ' ',
  ),
);

/** A choice in words: `eth0`, `ifindex 7`, `mac 52:54:00:12:34:56, driver virtio_net`. */
export function masterLabel(choice: MasterChoice): string {
  if (typeof choice === 'string') return choice;
  if (typeof choice === 'number') return `ifindex ${choice}`;
  return Object.entries(choice)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
}

const factsLabel = ({ device, driver, busInfo }: DeviceFacts): string => {
  const what = [driver, busInfo || device.parentDev].filter((x) => x !== undefined && x !== '');
  return what.length === 0 ? device.name : `${device.name} (${what.join(', ')})`;
};

/**
 * The device that a choice names. Several that fit are narrowed down by what a master can be: nothing that lies on another device; in
 * net-failover a device that others belong to. With `mac` alone in `transparent` a PCI function is never meant: the VF has the same MAC.
 *
 * @throws VfError DEVICE_NOT_FOUND, MAC_AMBIGUOUS
 */
export function selectMaster(
  choice: MasterChoice,
  model: ModelName,
  devices: readonly Device[],
  factsOf: (device: Device) => DeviceFacts,
): Device {
  if (typeof choice !== 'object') {
    const key = typeof choice === 'string' ? 'name' : 'ifindex';
    const device = devices.find((d) => d[key] === choice);
    if (device) return device;
    throw absent(choice, devices);
  }
  const candidates = devices
    .filter((d) => d.type === ARPHRD_ETHER && couldBe(choice, d))
    .map(factsOf)
    .filter((f) => isMeant(choice, f) && mayBeMaster(choice, model, f, devices));
  const [only] = candidates;
  if (!only) throw absent(choice, devices);
  if (candidates.length === 1) return only.device;
  const names = candidates.map(factsLabel);
  throw new VfError(
    'MAC_AMBIGUOUS',
    `several devices fit the master ${masterLabel(choice)}: ${names.join(', ')}`,
    {
      field: 'master',
      value: names,
      fix: 'add what tells them apart: driver, bus or name',
    },
  );
}

/** What can be said without asking a driver. */
function couldBe({ name, mac }: MasterSelector, device: Device): boolean {
  if (name !== undefined && name !== device.name) return false;
  if (mac === undefined) return true;
  const wanted = normaliseMac(mac);
  return wanted !== undefined && (wanted === identityMac(device) || wanted === normaliseMac(device.address));
}

function isMeant({ bus, driver }: MasterSelector, { device, driver: its, busInfo }: DeviceFacts): boolean {
  if (driver !== undefined && driver !== its) return false;
  const { parentDev, parentBus } = device;
  return (
    bus === undefined || [parentDev, `${parentBus}/${parentDev}`, busInfo, `pci/${busInfo}`].includes(bus)
  );
}

function mayBeMaster(
  choice: MasterSelector,
  model: ModelName,
  { device }: DeviceFacts,
  devices: readonly Device[],
): boolean {
  if (choice.name !== undefined) return true;
  if (stackedOn(device) !== undefined) return false;
  if (MODELS[model].masterOwnsSlaves) return devices.some((d) => d.master === device.ifindex);
  const byMacAlone = choice.bus === undefined && choice.driver === undefined;
  return !byMacAlone || device.parentBus !== 'pci';
}

function absent(choice: MasterChoice, devices: readonly Device[]): VfError {
  const names = devices.map((d) => d.name).join(', ');
  const what = typeof choice === 'object' ? `device with ${masterLabel(choice)}` : `device ${choice}`;
  return new VfError('DEVICE_NOT_FOUND', `there is no ${what}`, {
    field: 'master',
    value: typeof choice === 'object' ? masterLabel(choice) : choice,
    fix: `name one of: ${names}`,
  });
}

/**
 * Why a device cannot be the master of `transparent`, as far as that is known: it is the VF, or the paravirtual device is the other one.
 * With its slaves swapped an instance would send nothing over virtio, and lose all when the VF is unplugged. veth and tap say
 * nothing of themselves, so nothing is refused there.
 *
 * @param others devices that would be its primary
 */
export function swappedRoles(master: DeviceFacts, others: readonly DeviceFacts[]): VfError | undefined {
  if (MOVABLE.has(master.driver ?? '')) return undefined;
  const meant = others.find((f) => MOVABLE.has(f.driver ?? ''));
  const isVf = master.virtualFunction || VF_DRIVERS.has(master.driver ?? '');
  if (!meant && !isVf) return undefined;
  const why = meant
    ? `${factsLabel(meant)} has the same MAC and is the one that migrates with the machine`
    : 'it is an SR-IOV virtual function';
  const { name } = master.device;
  return new VfError('MASTER_UNFIT', `${factsLabel(master)} cannot be the master: ${why}`, {
    field: 'master',
    value: name,
    fix: meant
      ? `set master to ${meant.device.name}, and primary to {} or to ${name}; if the roles are right as they are, set check_roles to false`
      : `name the virtio device as master, and ${name} as primary; if the roles are right as they are, set check_roles to false`,
  });
}

/** Devices that a master's primary could be by their MAC alone. */
export const sameMacAs = (master: Device, devices: readonly Device[]): Device[] =>
  devices.filter(
    (d) =>
      d.ifindex !== master.ifindex &&
      d.type === ARPHRD_ETHER &&
      identityMac(d) !== undefined &&
      identityMac(d) === identityMac(master) &&
      stackedOn(d) === undefined,
  );
