/** What to announce, from which device. Pure. */
import type { Device } from '../failover/device.js';
import { parseMac } from '../netlink/codec.js';
import type { DeviceAddress } from '../netlink/index.js';
import { parseIp } from '../netlink/ip.js';
import { gratuitousArp, rarpAnnouncement, unsolicitedNeighbourAdvert } from './frames.js';
import type { Groups } from './groups.js';
import { igmp2Reports, igmp3Reports, mld2Reports } from './reports.js';

/** IFA_F_* of linux/if_addr.h. A tentative address is still being checked for duplicates and is not ours to claim yet. */
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
/** An address of this scope is valid on this host only. */
const RT_SCOPE_HOST = 254;

/** A device and the frames that leave through it. */
export interface Announcement {
  ifindex: number;
  /** Of its addresses. */
  frames: Uint8Array[];
  /** Of its groups. */
  reports: Uint8Array[];
}

/** The master and the VLAN devices on it (on those, too), all of one namespace. Empty when the master is not there. */
export function announcingDevices(master: number, devices: readonly Device[]): Device[] {
  const found = devices.filter((d) => d.ifindex === master);
  // grows while it is walked: a VLAN can lie on a VLAN (802.1ad)
  for (const lower of found) {
    const uppers = devices.filter(
      (d) =>
        d.kind === 'vlan' && d.link === lower.ifindex && d.linkNetnsId === undefined && !found.includes(d),
    );
    found.push(...uppers);
  }
  return found;
}

/** Whether the address is announced: IPv6 that is tentative or failed its check for duplicates, and host scope, are not. */
export function isAnnounced({ scope, flags }: Pick<DeviceAddress, 'scope' | 'flags'>): boolean {
  return scope < RT_SCOPE_HOST && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0;
}

/**
 * The frames of one round of either kind. The kernel adds the tag to what a VLAN device sends, so all frames are made without one.
 *
 * @param mac of the master: 6 bytes; a VLAN device is announced with its own
 * @param isRouter whether the device forwards IPv6
 * @param groups by ifindex: what is joined again
 */
export function planAnnouncements(
  master: number,
  mac: Uint8Array,
  devices: readonly Device[],
  addresses: readonly DeviceAddress[],
  isRouter: (device: Device) => boolean,
  groups: ReadonlyMap<number, Groups> = new Map(),
): Announcement[] {
  return announcingDevices(master, devices).map((device) => {
    const hw = device.ifindex === master ? mac : parseMac(device.address);
    const own = addresses
      .filter((a) => a.ifindex === device.ifindex && isAnnounced(a))
      .map(({ family, address }) => ({ family, ip: parseIp(address).bytes }))
      // Groups can be joined by being addresses (autojoin).
      .filter(({ family, ip }) => (family === 4 ? ip[0]! < 224 : ip[0] !== 0xff));
    const router = own.some((a) => a.family === 6) && isRouter(device);
    const frames = own.map(({ family, ip }) =>
      family === 4 ? gratuitousArp({ mac: hw, ip }) : unsolicitedNeighbourAdvert({ mac: hw, ip, router }),
    );
    // no address is known: a guest's kernel bypass, a bridge's port. The switches can be told all the same
    if (frames.length === 0) frames.push(rarpAnnouncement({ mac: hw }));
    const joined = groups.get(device.ifindex);
    return { ifindex: device.ifindex, frames, reports: joined ? reports(hw, joined, own) : [] };
  });
}

/** `own`: the device's unicast addresses, of which reports take their source. */
function reports(
  mac: Uint8Array,
  groups: Groups,
  own: readonly { family: 4 | 6; ip: Uint8Array }[],
): Uint8Array[] {
  const ip4 = own.find((a) => a.family === 4)?.ip ?? new Uint8Array(4);
  // RFC 3810 5.2.13: a link-local one, or none.
  const isLinkLocal = (ip: Uint8Array): boolean => ip[0] === 0xfe && (ip[1]! & 0xc0) === 0x80;
  const ip6 = own.find((a) => a.family === 6 && isLinkLocal(a.ip))?.ip ?? new Uint8Array(16);
  const igmp = { mac, source: ip4, groups: groups.ip4 };
  return [
    ...(groups.igmp === 3 ? igmp3Reports(igmp) : igmp2Reports(igmp, groups.igmp)),
    ...mld2Reports({ mac, source: ip6, groups: groups.ip6 }),
  ];
}
