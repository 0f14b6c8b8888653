import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { formatIp } from '../frames/address.js';
import { addressesRequest, addressRequest, type DeviceAddress, parseAddress } from './addresses.js';
import { parseUntaggedVlans, portsRequest } from './bridge-vlans.js';
import * as c from './constants.js';
import {
  type BridgeEntry,
  type ForwardingEntry,
  forwardingRequest,
  parseBridgeEntry,
  parseForwardingEntry,
} from './forwarding.js';
import {
  type LinkChange,
  linkChange,
  linkRemoval,
  linkRequest,
  linksRequest,
  packetsRequest,
  parseLink,
  parsePackets,
} from './links.js';
import type { MessageBuilder } from './message.js';
import {
  type Neighbour,
  neighbourQuestion,
  neighbourRequest,
  parseNeighbour,
  resolveRequest,
} from './neighbours.js';
import { netlinkError, RtnlRequests } from './requests.js';
import { parseRoute, type Route, type RouteSpec, routeRequest, wayRequest } from './routes.js';
import { parseQdisc, type Qdisc, qdiscsRequest } from './tc.js';
import { type BridgeSpec, bridgeRequest, flushRequest, type VethSpec, vethRequest } from './wires.js';

/**
 * Requests to rtnetlink, one at a time, synchronous: each blocks the calling thread until the kernel has answered, microseconds to
 * milliseconds (at most 5 s). For set-up and supervision, not for the hot path. The files of this folder make the requests and read the
 * answers; this class sends and receives.
 */
export class Rtnl extends RtnlRequests {
  /** All devices of the namespace, in the kernel's order. */
  links(): Device[] {
    return this.dump(linksRequest, 'list devices', (m) =>
      m.type === c.RTM_NEWLINK ? parseLink(m.data) : undefined,
    );
  }

  /** One device by ifindex or name (alternative names too); undefined when there is none. */
  link(which: number | string): Device | undefined {
    return this.#device(linkRequest(which), `look up device ${which}`, parseLink);
  }

  /** Frames that a device has received and sent, as the driver counts; undefined when there is none. */
  packets(ifindex: number): { rx: number; tx: number } | undefined {
    return this.#device(packetsRequest(ifindex), `read the counters of device ${ifindex}`, parsePackets);
  }

  #device<T>(request: MessageBuilder, what: string, parse: (data: Uint8Array) => T): T | undefined {
    const { found, ack } = this.ask(request, what, c.RTM_NEWLINK, parse);
    if (ack.errno !== 0 && ack.errno !== c.ENODEV) throw netlinkError(ack, what);
    return found;
  }

  /**
   * Changes a device. The kernel applies the parts one after another (netns, address, mtu, name, flags, master …) and does not undo
   * the first ones when a later one fails.
   */
  setLink(ifindex: number, change: LinkChange): void {
    const keys = Object.keys(change);
    // The field that an error is about, when only one was asked to change.
    const field = keys.length === 1 ? keys[0] : undefined;
    this.request(linkChange(ifindex, change), `change device ${ifindex} (${keys.join(', ')})`, field);
  }

  deleteLink(ifindex: number): void {
    this.request(linkRemoval(ifindex), `delete device ${ifindex}`);
  }

  /** Two devices joined by a cable. Returns both ifindexes, each as its own namespace counts. */
  createVeth(spec: VethSpec): { ifindex: number; peerIfindex: number } {
    this.request(vethRequest(spec), `create veth ${spec.name} with peer ${spec.peer.name}`, 'name');
    const device = this.#created(spec.name);
    return { ifindex: device.ifindex, peerIfindex: device.link ?? 0 };
  }

  /** A bridge; returns its ifindex. */
  createBridge(spec: BridgeSpec): number {
    this.request(bridgeRequest(spec), `create bridge ${spec.name}`, 'name');
    return this.#created(spec.name).ifindex;
  }

  #created(name: string): Device {
    const device = this.link(name);
    if (device === undefined)
      throw new VfError('DEVICE_NOT_FOUND', `${name} was created and is gone or renamed already`);
    return device;
  }

  /** The addresses that a bridge has learnt, each with its port. */
  bridgeEntries(ifindex: number): BridgeEntry[] {
    return this.dump(
      () => forwardingRequest(ifindex),
      `list what bridge ${ifindex} has learnt`,
      (m) => (m.type === c.RTM_NEWNEIGH ? parseBridgeEntry(m.data, ifindex) : undefined),
    );
  }

  /** The forwarding tables of the namespace: what its bridges know, and the addresses that devices let in beside their own. */
  forwarding(): ForwardingEntry[] {
    return this.dump(
      () => forwardingRequest(),
      'list forwarding tables',
      (m) => (m.type === c.RTM_NEWNEIGH ? parseForwardingEntry(m.data) : undefined),
    );
  }

  /** By ifindex of a bridge's port: the VLANs that leave it without a tag. Ports of bridges that do not filter have their default one. */
  untaggedVlans(): Map<number, ReadonlySet<number>> {
    const ports = this.dump(portsRequest, 'list VLANs of ports', (m) =>
      m.type === c.RTM_NEWLINK ? parseUntaggedVlans(m.data) : undefined,
    );
    return new Map(ports.map(({ ifindex, untagged }) => [ifindex, untagged]));
  }

  /** Makes a bridge forget the addresses it has learnt. */
  flushBridge(ifindex: number): void {
    this.request(flushRequest(ifindex), `flush bridge ${ifindex}`);
  }

  /** `10.0.0.1/24` or `fd00::1/64`. `nodad`: an IPv6 address is usable at once, without a check for duplicates. */
  addAddress(ifindex: number, cidr: string, nodad = false): void {
    this.request(addressRequest(ifindex, cidr, nodad), `add ${cidr} to device ${ifindex}`, 'address');
  }

  /** The IPv4 and IPv6 addresses of one device, or of all. */
  addresses(ifindex?: number): DeviceAddress[] {
    const all = this.dump(addressesRequest, 'list addresses', (m) => {
      const parsed = m.type === c.RTM_NEWADDR ? parseAddress(m.data) : undefined;
      if (parsed === undefined) return undefined;
      const { bytes, ...rest } = parsed;
      return { ...rest, address: formatIp(bytes) };
    });
    return ifindex === undefined ? all : all.filter((a) => a.ifindex === ifindex);
  }

  /** A permanent neighbour entry; replaces what is there. */
  addNeighbour(ifindex: number, ip: string, mac: string): void {
    this.request(neighbourRequest(ifindex, ip, mac), `add neighbour ${ip} to device ${ifindex}`, 'ip');
  }

  /** What is known of a neighbour; undefined: nothing. Linux 5.0+. */
  neighbour(ifindex: number, ip: string): Neighbour | undefined {
    const what = `look up neighbour ${ip} of device ${ifindex}`;
    return this.ask(neighbourQuestion(ifindex, ip), what, c.RTM_NEWNEIGH, parseNeighbour).found;
  }

  /** Makes the kernel find out a neighbour's MAC as if there were a packet for it; `neighbour` will tell it. */
  resolve(ifindex: number, ip: string): void {
    this.request(resolveRequest(ifindex, ip), `resolve neighbour ${ip} of device ${ifindex}`, 'ip');
  }

  /** A route of the main table: through a gateway, a device, or both. */
  addRoute(spec: RouteSpec): void {
    this.request(routeRequest(spec), `add route ${spec.dst ?? 'default'}`, 'dst');
  }

  /** The way that the kernel would take to an address; undefined: none. */
  route(ip: string): Route | undefined {
    return this.ask(wayRequest(ip), `find the way to ${ip}`, c.RTM_NEWROUTE, parseRoute).found;
  }

  /** The queueing disciplines, clsact and ingress included, of one device or of all. */
  qdiscs(ifindex?: number): Qdisc[] {
    const all = this.dump(qdiscsRequest, 'list qdiscs', (m) =>
      m.type === c.RTM_NEWQDISC ? parseQdisc(m.data) : undefined,
    );
    return ifindex === undefined ? all : all.filter((q) => q.ifindex === ifindex);
  }
}
