import type { Device } from '../../device.js';
import { isLinkLocal6, parseIp } from '../../frames/address.js';
import type { Route } from '../../netlink/index.js';
import type { ProbeAsk } from '../supply.js';
import type { ProbeTarget } from './section.js';
import { wayByMaster } from './way.js';

const RTN_UNICAST = 1;
const RTN_LOCAL = 2;
const RTN_BROADCAST = 3;
const NONE = new Uint8Array(4);

/** What the kernel knows of addresses and ways. */
export interface Surroundings {
  masterIfindex: number;
  /** All addresses of the namespace. */
  addresses: readonly string[];
  device: (ifindex: number) => Device | undefined;
  route: (ip: string) => Route | undefined;
}

export interface ProbePlan {
  asks: ProbeAsk[];
  /** Of each ask, in words: `arp 10.0.0.1`. */
  names: string[];
  /** Targets that cannot be asked as things are, and why. */
  refused: { target: string; reason: string }[];
}

/** `arp 10.0.0.1` */
export const targetName = ({ arp, nd, icmp }: ProbeTarget): string =>
  arp !== undefined ? `arp ${arp}` : nd !== undefined ? `nd ${nd}` : `icmp ${icmp}`;

/** Which of the configured targets can be asked now, and how. Pure but for what `around` does. */
export function planProbes(targets: readonly ProbeTarget[], around: Surroundings): ProbePlan {
  const plan: ProbePlan = { asks: [], names: [], refused: [] };
  for (const target of targets) {
    const name = targetName(target);
    const ask = planTarget(target, around);
    if (typeof ask === 'string') plan.refused.push({ target: name, reason: ask });
    else {
      plan.asks.push(ask);
      plan.names.push(name);
    }
  }
  return plan;
}

/** An ask, or why there is none. */
function planTarget({ arp, nd, icmp, source }: ProbeTarget, around: Surroundings): ProbeAsk | string {
  const text = (arp ?? nd ?? icmp)!;
  const { bytes: address } = parseIp(text);
  if (around.addresses.includes(text) || around.addresses.some((a) => same(parseIp(a).bytes, address)))
    return 'is an address of this machine: name a neighbour';
  // A link-local address is one of each link: of the master's here.
  const route = isLinkLocal6(address) ? undefined : around.route(text);
  if (route?.type === RTN_LOCAL) return 'is an address of this machine: name a neighbour';
  if (route?.type === RTN_BROADCAST) return 'is the broadcast address of a network: name one neighbour';
  const from = source === undefined ? undefined : parseIp(source).bytes;
  if (icmp === undefined) {
    // One that no network of ours has, or that lies behind a router, is asked on the master all the same: so the configuration says.
    const onLink = route?.type === RTN_UNICAST && route.gateway === undefined;
    const way = onLink ? wayByMaster(route.ifindex, around.masterIfindex, around.device) : { vlan: 0 };
    if (typeof way === 'string') return way;
    const kind = arp !== undefined ? 'arp' : 'nd';
    return { kind, address, source: (arp !== undefined && from) || NONE, nexthop: NONE, vlan: way.vlan };
  }
  if (route === undefined || route.type !== RTN_UNICAST) return 'there is no route to it';
  const way = wayByMaster(route.ifindex, around.masterIfindex, around.device);
  if (typeof way === 'string') return way;
  const own = from ?? route.source;
  if (own === undefined || own.length !== 4) return 'the master has no IPv4 address to ask from';
  const nexthop = route.gateway ?? address;
  if (nexthop.length !== 4) return 'its gateway is no IPv4 address';
  return { kind: 'icmp', address, source: own, nexthop, vlan: way.vlan };
}

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);
