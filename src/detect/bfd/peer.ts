import type { Device } from '../../device.js';
import { formatIp, isLinkLocal6, parseIp } from '../../frames/address.js';
import { formatMac } from '../../frames/mac.js';
import type { Neighbour, Route } from '../../netlink/index.js';
import type { BfdConfig } from './section.js';

const RTN_UNICAST = 1;

/** What the kernel knows of ways and neighbours, and how it is made to find out. */
export interface Neighbourhood {
  masterIfindex: number;
  device(ifindex: number): Device | undefined;
  /** All of the namespace. */
  devices(): Iterable<Device>;
  route(ip: string): Route | undefined;
  neighbour(ifindex: number, ip: string): Neighbour | undefined;
  /** `neighbour` tells the answer some milliseconds later. */
  resolve(ifindex: number, ip: string): void;
}

/** Where the packets to a BFD peer go. */
export interface BfdPeer {
  /** null: not known (yet). */
  mac: Uint8Array | null;
  /** In words. */
  detail: string;
  /** The kernel is at it: look again soon. */
  pending: boolean;
}

const unknown = (why: string): BfdPeer => ({ mac: null, detail: why, pending: false });

/**
 * Finds the MAC of a peer whose `peer_mac` is not configured: of itself, or with s-bfd of the router that the way to it begins with. The kernel
 * asks, by ARP or neighbour discovery through the master, and is made to ask again before what it knows is old.
 */
export function findPeer(config: BfdConfig, around: Neighbourhood): BfdPeer {
  // A link-local address is one of each link, and a route to it names the first of them: the session's link is the master.
  const hop = isLinkLocal6(parseIp(config.peer).bytes) ? onLink(config, around) : byRoute(config, around);
  if (typeof hop === 'string') return unknown(hop);
  const { ifindex, address } = hop;
  const known = around.neighbour(ifindex, address);
  if (known?.fresh !== true) around.resolve(ifindex, address);
  if (known?.mac === undefined)
    return { mac: null, detail: `${address} does not say its MAC address`, pending: true };
  return { mac: known.mac, detail: `${address} is at ${formatMac(known.mac)}`, pending: false };
}

/** The neighbour that packets go to. */
interface Hop {
  ifindex: number;
  address: string;
}

/** The peer itself, on the master or its VLAN; in words why not. */
function onLink({ peer, vlan }: BfdConfig, around: Neighbourhood): Hop | string {
  const { masterIfindex } = around;
  if (vlan === undefined) return { ifindex: masterIfindex, address: peer };
  for (const d of around.devices())
    if (d.kind === 'vlan' && d.link === masterIfindex && d.linkNetnsId === undefined && d.vlan?.id === vlan)
      return { ifindex: d.ifindex, address: peer };
  return `the master has no device for VLAN ${vlan}, by which ${peer} could be asked`;
}

/** Where the kernel's way to the peer begins; in words why that is of no use. */
function byRoute({ peer, mode, vlan }: BfdConfig, around: Neighbourhood): Hop | string {
  const route = around.route(peer);
  if (route === undefined || route.type !== RTN_UNICAST) return `there is no route to ${peer}`;
  const { ifindex, gateway } = route;
  const { masterIfindex } = around;
  const device = around.device(ifindex);
  const ours =
    vlan === undefined ? ifindex === masterIfindex : device?.kind === 'vlan' && device.link === masterIfindex;
  if (!ours)
    return `the way to ${peer} begins at ${device?.name ?? `device ${ifindex}`}, not at the master${vlan === undefined ? '' : '’s VLAN'}`;
  if (gateway !== undefined && mode === 'single-hop')
    return `${peer} is behind the router ${formatIp(gateway)}, and single-hop is for neighbours`;
  return { ifindex, address: gateway === undefined ? peer : formatIp(gateway) };
}
