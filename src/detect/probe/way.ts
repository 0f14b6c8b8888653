import type { Device } from '../../device.js';

/** How a way that begins at some device leaves by the master: untagged (0), or with that VLAN's tag. */
export interface MastersWay {
  vlan: number;
}

/**
 * Follows a way from the device that it begins with down to the master: the master itself, a VLAN on it, the bridge that either is a port
 * of, a macvlan on any of these. Returns what does not lead there in words, for what has to be told. Pure.
 */
export function wayByMaster(
  ifindex: number,
  master: number,
  device: (ifindex: number) => Device | undefined,
): MastersWay | string {
  const first = device(ifindex);
  const name = first?.name ?? `device ${ifindex}`;
  const elsewhere = `the way to it begins at ${name}, not at the master`;
  if (ifindex === master) return { vlan: 0 };
  let vlan = 0;
  let at = first;
  // No more steps than devices can sensibly lie on each other.
  for (let steps = 0; at !== undefined && steps < 8; steps++) {
    if (at.ifindex === master) return { vlan };
    if (at.kind === 'bridge') return device(master)?.master === at.ifindex ? { vlan } : elsewhere;
    const lies = at.link !== undefined && at.linkNetnsId === undefined;
    if (!lies || !ON_ANOTHER.has(at.kind ?? '')) return elsewhere;
    if (at.kind === 'vlan') {
      if (vlan !== 0) return `${name} lies in a VLAN within a VLAN, and probes carry one tag`;
      if (at.vlan === undefined) return `the VLAN of ${name} is not known`;
      vlan = at.vlan.id;
    }
    at = device(at.link!);
  }
  return elsewhere;
}

const ON_ANOTHER: ReadonlySet<string> = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap']);
