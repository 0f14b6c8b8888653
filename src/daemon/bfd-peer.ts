import type { BfdConfig } from '../config/index.js';
import type { Device } from '../failover/device.js';
import { formatMac } from '../netlink/codec.js';
import type { Neighbour, Route } from '../netlink/index.js';
import { formatIp } from '../netlink/ip.js';

const RTN_UNICAST = 1;

/** What the kernel knows of ways and neighbours, and how it is made to find out. */
export interface Neighbourhood {
  masterIfindex: number;
  device(ifindex: number): Device | undefined;
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
export function findPeer({ peer, mode, vlan }: BfdConfig, around: Neighbourhood): BfdPeer {
  const route = around.route(peer);
  if (route === undefined || route.type !== RTN_UNICAST) return unknown(`there is no route to ${peer}`);
  const { ifindex, gateway } = route;
  const { masterIfindex } = around;
  const device = around.device(ifindex);
  const ours =
    vlan === undefined ? ifindex === masterIfindex : device?.kind === 'vlan' && device.link === masterIfindex;
  if (!ours)
    return unknown(
      `the way to ${peer} begins at ${device?.name ?? `device ${ifindex}`}, not at the master${vlan === undefined ? '' : '’s VLAN'}`,
    );
  if (gateway !== undefined && mode === 'single-hop')
    return unknown(`${peer} is behind the router ${formatIp(gateway)}, and single-hop is for neighbours`);
  const hop = gateway === undefined ? peer : formatIp(gateway);
  const known = around.neighbour(ifindex, hop);
  if (known?.fresh !== true) around.resolve(ifindex, hop);
  if (known?.mac === undefined)
    return { mac: null, detail: `${hop} does not say its MAC address`, pending: true };
  return { mac: known.mac, detail: `${hop} is at ${formatMac(known.mac)}`, pending: false };
}
