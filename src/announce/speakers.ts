/** The devices of a namespace that are reached by a master: what it announces beside itself. Pure. */
import type { Device } from '../device.js';

/** A device with addresses of its own. */
export interface Speaker {
  device: Device;
  /**
   * ifindex of the device that its frames leave by. A VLAN, a bridge or a MACsec device sends for itself, since it changes what it sends.
   * For a macvlan or ipvlan the device below it sends: some of their modes let no ARP out.
   */
  via: number;
}

const SENDS_ITSELF: ReadonlySet<string> = new Set(['vlan', 'macsec']);
const SENT_FOR: ReadonlySet<string> = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap']);

/**
 * The master, the bridge that it is a port of, and what lies on each of these: VLANs, macvlans, ipvlans, MACsec. One that is down, or
 * lies in another namespace, is none. Empty when the master is not there.
 */
export function speakersOf(master: number, devices: readonly Device[]): Speaker[] {
  const found: Speaker[] = devices
    .filter((d) => d.ifindex === master)
    .map((device) => ({ device, via: device.ifindex }));
  const known = new Set(found.map((s) => s.device.ifindex));
  const add = (device: Device, via: number): void => {
    if (!device.up || known.has(device.ifindex)) return;
    known.add(device.ifindex);
    found.push({ device, via });
  };
  // Grows while it is walked: a VLAN can lie on a VLAN (802.1ad), a bridge on a VLAN, a macvlan on the bridge.
  for (const { device: lower, via } of found)
    for (const d of devices) {
      const lies = d.link === lower.ifindex && d.linkNetnsId === undefined;
      if (lies && SENDS_ITSELF.has(d.kind ?? '')) add(d, d.ifindex);
      else if (lies && SENT_FOR.has(d.kind ?? '')) add(d, via);
      else if (d.ifindex === lower.master && d.kind === 'bridge') add(d, d.ifindex);
    }
  return found;
}
