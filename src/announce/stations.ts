/** MACs that a master announces beside its own: stations behind its bridge, and devices on it in other namespaces. Pure. */
import type { Device } from '../device.js';
import { parseMac } from '../frames/mac.js';
import type { VlanTag } from '../frames/vlan.js';
import type { ForwardingEntry } from '../netlink/index.js';
import type { Speaker } from './speakers.js';

/** Most foreign MACs that a master announces. Each costs two frames a round, about 5 µs together. */
export const STATIONS_MAX = 128;

export interface Station {
  mac: Uint8Array;
  /** ifindex of the device by which its frames leave. */
  via: number;
  vlan?: VlanTag;
}

/** Contents of the kernel's forwarding tables. */
export interface Forwarding {
  entries: readonly ForwardingEntry[];
  /** VLANs that leave a bridge's port without a tag, by the port's ifindex. */
  untagged: ReadonlyMap<number, ReadonlySet<number>>;
}

interface Found {
  entry: ForwardingEntry;
  via: number;
  vlan?: number;
}

/**
 * Returns the MACs that no speaker announces as its own, the latest heard first, and how many more there were.
 *
 * A bridge's station is announced by the port that the master is. A station that was learned at that port lives outside, and is not announced.
 * An address in a device's own list belongs to a macvlan of another namespace, or to something else that was let in by hand.
 */
export function stations(
  speakers: readonly Speaker[],
  devices: readonly Device[],
  { entries, untagged }: Forwarding,
): { named: Station[]; left: number } {
  const own = new Set(speakers.map((s) => s.device.address));
  const ports = new Map(speakers.flatMap(({ device }) => (device.master ? [[device.master, device]] : [])));
  const found = new Map<string, Found>();
  const keep = (f: Found): void => {
    const key = `${f.entry.mac} ${f.via} ${f.vlan ?? ''}`;
    if (!own.has(f.entry.mac) && !found.has(key)) found.set(key, f);
  };
  for (const entry of entries) {
    const port = entry.bridge === undefined ? undefined : ports.get(entry.bridge);
    if (port === undefined || entry.permanent || !isStation(entry.mac) || entry.ifindex === port.ifindex)
      continue;
    const tag = entry.vlan !== undefined && !untagged.get(port.ifindex)?.has(entry.vlan);
    keep({ entry, via: port.ifindex, ...(tag && { vlan: entry.vlan! }) });
  }
  for (const f of letIn(speakers, devices, entries)) keep(f);
  const all = [...found.values()].sort((a, b) => a.entry.ageS - b.entry.ageS);
  return {
    named: all.slice(0, STATIONS_MAX).map(({ entry, via, vlan }) => ({
      mac: parseMac(entry.mac),
      via,
      ...(vlan !== undefined && { vlan: { id: vlan } }),
    })),
    left: Math.max(0, all.length - STATIONS_MAX),
  };
}

/** Returns the addresses in the devices' own lists. An address in the list of an upper device has come down from there. */
function letIn(
  speakers: readonly Speaker[],
  devices: readonly Device[],
  entries: readonly ForwardingEntry[],
): Found[] {
  const bridges = new Set(speakers.flatMap(({ device }) => device.master ?? []));
  // A bridge lets its ports' own addresses in at its ports. They are addresses of this machine to which nobody speaks.
  const ports = new Set(devices.flatMap((d) => (bridges.has(d.master ?? 0) ? [d.address] : [])));
  const seen = new Set<string>();
  const out: Found[] = [];
  for (const { device, via } of [...speakers].reverse())
    for (const entry of entries) {
      if (entry.ifindex !== device.ifindex || entry.bridge !== undefined || !isStation(entry.mac)) continue;
      if (!ports.has(entry.mac) && !seen.has(entry.mac)) out.push({ entry, via });
      seen.add(entry.mac);
    }
  return out;
}

/** True if a station can have the MAC. */
const isStation = (mac: string): boolean =>
  (Number.parseInt(mac.charAt(1), 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
