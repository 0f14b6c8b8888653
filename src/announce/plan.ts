/** Plans announcements: which frames leave by which device. Pure. */
import type { Device } from '../device.js';
import { isLinkLocal6, parseIp } from '../frames/address.js';
import { gratuitousArp, moveFrame, rarpAnnouncement } from '../frames/arp.js';
import { parseMac } from '../frames/mac.js';
import { unsolicitedNeighbourAdvert } from '../frames/nd.js';
import { igmp2Reports, igmp3Reports, mld2Reports } from '../frames/reports.js';
import type { DeviceAddress } from '../netlink/index.js';
import type { Groups } from './groups.js';
import { speakersOf } from './speakers.js';
import { type Forwarding, stations } from './stations.js';

/** IFA_F_* of linux/if_addr.h. A tentative address is still checked for duplicates, so we may not claim it yet. */
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
/** An address of this scope is valid on this host only. */
const RT_SCOPE_HOST = 254;

/** A device and the frames that leave through it. */
export interface Announcement {
  ifindex: number;
  /** Frames for addresses and MACs, the master's first. */
  frames: Uint8Array[];
  /** Frames for each MAC, to nobody (`moveFrame`). They are sent before `frames`, each with a new destination. */
  moves: Uint8Array[];
  /** Membership reports of groups. */
  reports: Uint8Array[];
}

/** Facts of the kernel at one moment. */
export interface Surroundings {
  devices: readonly Device[];
  addresses: readonly DeviceAddress[];
  /** Groups to join again, by ifindex. None by default. */
  groups?: ReadonlyMap<number, Groups> | undefined;
  forwarding?: Forwarding | undefined;
  /** True if the device forwards IPv6. */
  isRouter: (device: Device) => boolean;
}

/** Announcements to send, and what had to be left out. */
export interface Plan {
  announcements: Announcement[];
  /** Number of MACs beyond STATIONS_MAX. */
  left: number;
  /** True if the master, or a device on it, is a port of a bridge. */
  bridged: boolean;
}

/** True if the address is announced. Not announced are IPv6 that is tentative or failed its check for duplicates, and host scope. */
export function isAnnounced({ scope, flags }: Pick<DeviceAddress, 'scope' | 'flags'>): boolean {
  return scope < RT_SCOPE_HOST && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0;
}

/**
 * Returns the frames of one round of either kind. The kernel adds the tag to frames that a VLAN device sends, so frames of devices are made
 * without one. Frames of stations behind a bridge have the tag that the bridge would send.
 */
export function planAnnouncements(master: number, around: Surroundings): Plan {
  const { devices, forwarding = { entries: [], untagged: new Map() } } = around;
  const speakers = speakersOf(master, devices);
  const by = new Map<number, Announcement>();
  const through = (ifindex: number): Announcement => {
    const known = by.get(ifindex);
    if (known !== undefined) return known;
    const made = { ifindex, frames: [], moves: [], reports: [] };
    by.set(ifindex, made);
    return made;
  };
  const moved = new Set<string>();
  for (const speaker of speakers) {
    const { device, via } = speaker;
    const { frames, moves, reports } = through(via);
    const said = say(device, around);
    frames.push(...said.frames);
    // Devices on one parent may share a MAC (ipvlan), and the switch needs to hear of it once.
    if (!moved.has(`${via} ${device.address}`)) moves.push(moveFrame({ mac: parseMac(device.address) }));
    moved.add(`${via} ${device.address}`);
    reports.push(...said.reports);
  }
  const { named, left } = stations(speakers, devices, forwarding);
  for (const { mac, via, vlan } of named) {
    through(via).frames.push(rarpAnnouncement({ mac, vlan }));
    through(via).moves.push(moveFrame({ mac, vlan }));
  }
  const bridged = speakers.some(({ device }) => device.kind === 'bridge');
  return { announcements: [...by.values()], left, bridged };
}

/** Returns the frames of a device for itself. */
function say(
  device: Device,
  { addresses, groups, isRouter }: Surroundings,
): Omit<Announcement, 'ifindex' | 'moves'> {
  const mac = parseMac(device.address);
  const own = addresses
    .filter((a) => a.ifindex === device.ifindex && isAnnounced(a))
    .map(({ family, address }) => ({ family, ip: parseIp(address).bytes }))
    // A group may be joined by being an address (autojoin), and is no address to announce.
    .filter(({ family, ip }) => (family === 4 ? ip[0]! < 224 : ip[0] !== 0xff));
  const router = own.some((a) => a.family === 6) && isRouter(device);
  const frames = own.map(({ family, ip }) =>
    family === 4 ? gratuitousArp({ mac, ip }) : unsolicitedNeighbourAdvert({ mac, ip, router }),
  );
  // Without a known address (a guest's kernel bypass, a bridge's port) the switches can still be told of the MAC.
  if (frames.length === 0) frames.push(rarpAnnouncement({ mac }));
  const joined = groups?.get(device.ifindex);
  return { frames, reports: joined ? reports(mac, joined, own) : [] };
}

/** Returns membership reports. `own` has the device's unicast addresses, of which reports take their source. */
function reports(
  mac: Uint8Array,
  groups: Groups,
  own: readonly { family: 4 | 6; ip: Uint8Array }[],
): Uint8Array[] {
  const ip4 = own.find((a) => a.family === 4)?.ip ?? new Uint8Array(4);
  // RFC 3810 5.2.13: the source is a link-local address, or none.
  const ip6 = own.find((a) => isLinkLocal6(a.ip))?.ip ?? new Uint8Array(16);
  const igmp = { mac, source: ip4, groups: groups.ip4 };
  return [
    ...(groups.igmp === 3 ? igmp3Reports(igmp) : igmp2Reports(igmp, groups.igmp)),
    ...mld2Reports({ mac, source: ip6, groups: groups.ip6 }),
  ];
}
