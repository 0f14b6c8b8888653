/** Which devices look like the two slaves of a failover instance. Pure. */
import { ARPHRD_ETHER, type Device, identityMac } from '../device.js';
import { stackedOn } from '../registry/match.js';
import type { Candidate, CandidateDevice, StackedDevice } from './findings.js';

/** Drivers of paravirtual devices, which migrate with a guest: the master in the transparent model. */
const MOVABLE: ReadonlySet<string> = new Set(['virtio_net', 'hv_netvsc', 'vif']);

/** The kernel's own masters of such pairs, by driver: it pairs them before we could. */
const PAIRING: ReadonlySet<string> = new Set(['net_failover', 'hv_netvsc']);

/** What is asked about a device that is part of a group. */
export type Describe = (device: Device) => Omit<CandidateDevice, 'name' | 'ifindex'>;

/**
 * Groups of Ethernet devices with one MAC (the permanent one, where there is one), in the kernel's order. Devices that lie on top of
 * another (VLAN, bridge, bond …) have that one's MAC by nature and are left out.
 */
export function findCandidates(
  devices: readonly Device[],
  describe: Describe,
  vlanOf: (name: string) => number | null = () => null,
): Candidate[] {
  const byMac = new Map<string, Device[]>();
  for (const device of devices) {
    const mac = identityMac(device);
    if (device.type !== ARPHRD_ETHER || mac === undefined || stackedOn(device) !== undefined) continue;
    byMac.set(mac, [...(byMac.get(mac) ?? []), device]);
  }
  return [...byMac]
    .filter(([, group]) => group.length > 1)
    .map(([mac, group]) => {
      const found = pair(mac, group, devices, describe);
      const below = devices.find((d) => d.ifindex === found.visible?.ifindex);
      return { ...found, stacked: below === undefined ? [] : stackedDevices(below, devices, vlanOf) };
    });
}

function pair(
  mac: string,
  group: readonly Device[],
  devices: readonly Device[],
  describe: Describe,
): Omit<Candidate, 'stacked'> {
  const members = group.map((device) => ({
    name: device.name,
    ifindex: device.ifindex,
    ...describe(device),
  }));
  const movable = members.filter(({ driver }) => driver !== null && MOVABLE.has(driver));
  const master = movable.length === 1 ? movable[0]! : null;
  const owner = ownerOf(group, members, devices, master);
  // The kernel's own master is what the machine uses: to hide that one would cut the machine off.
  const pairing = members.find((m) => group.some((d) => d.master === m.ifindex));
  const visible = pairing ?? (owner === null ? master : null);
  return {
    mac,
    master,
    others: members.filter((m) => m !== master),
    owner,
    visible,
    hidden: visible === null ? [] : members.filter((m) => m !== visible),
  };
}

/** What lies on a device, or is the bridge that it is a port of. */
function stackedDevices(
  below: Device,
  devices: readonly Device[],
  vlanOf: (name: string) => number | null,
): StackedDevice[] {
  return devices
    .filter(
      (d) =>
        (d.link === below.ifindex && d.linkNetnsId === undefined && stackedOn(d) !== undefined) ||
        (d.ifindex === below.master && d.kind === 'bridge'),
    )
    .map((d) => ({ name: d.name, kind: d.kind ?? 'device', mac: d.address, vlan: vlanOf(d.name) }));
}

/** In words, whom one of the devices belongs to. A master may be the port of a bridge: that lies on top of it as a VLAN does. */
function ownerOf(
  group: readonly Device[],
  members: readonly CandidateDevice[],
  devices: readonly Device[],
  own: CandidateDevice | null,
): string | null {
  for (const { ifindex, master } of group) {
    if (!master) continue; // 0 and absent both mean: none
    const owner = devices.find((d) => d.ifindex === master);
    if (ifindex === own?.ifindex && owner?.kind === 'bridge') continue;
    const member = members.find((m) => m.ifindex === master);
    const kind = owner?.kind ?? (PAIRING.has(member?.driver ?? '') ? member?.driver : undefined);
    return [kind ?? 'device', owner?.name ?? `number ${master}`].join(' ');
  }
  return null;
}
