/** Which devices look like the two slaves of a failover instance. Pure. */
import { ARPHRD_ETHER, type Device, identityMac } from '../../failover/device.js';
import { stackedOn } from '../../failover/match.js';
import type { Candidate, CandidateDevice } from './findings.js';

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
export function findCandidates(devices: readonly Device[], describe: Describe): Candidate[] {
  const byMac = new Map<string, Device[]>();
  for (const device of devices) {
    const mac = identityMac(device);
    if (device.type !== ARPHRD_ETHER || mac === undefined || stackedOn(device) !== undefined) continue;
    byMac.set(mac, [...(byMac.get(mac) ?? []), device]);
  }
  return [...byMac]
    .filter(([, group]) => group.length > 1)
    .map(([mac, group]) => pair(mac, group, devices, describe));
}

function pair(
  mac: string,
  group: readonly Device[],
  devices: readonly Device[],
  describe: Describe,
): Candidate {
  const members = group.map((device) => ({
    name: device.name,
    ifindex: device.ifindex,
    ...describe(device),
  }));
  const movable = members.filter(({ driver }) => driver !== null && MOVABLE.has(driver));
  const master = movable.length === 1 ? movable[0]! : null;
  return {
    mac,
    master,
    others: members.filter((m) => m !== master),
    owner: ownerOf(group, members, devices),
  };
}

/** In words, whom one of the devices belongs to. */
function ownerOf(
  group: readonly Device[],
  members: readonly CandidateDevice[],
  devices: readonly Device[],
): string | null {
  for (const { master } of group) {
    if (!master) continue; // 0 and absent both mean: none
    const owner = devices.find((d) => d.ifindex === master);
    const member = members.find((m) => m.ifindex === master);
    const kind = owner?.kind ?? (PAIRING.has(member?.driver ?? '') ? member?.driver : undefined);
    return [kind ?? 'device', owner?.name ?? `number ${master}`].join(' ');
  }
  return null;
}
