import { errnoName, NetlinkSocket } from 'bpf-loader-ts/sys';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { formatIp, parseIp, parsePrefix } from '../frames/address.js';
import { parseMac } from '../frames/mac.js';
import {
  type Ack,
  type Address,
  type BridgeEntry,
  type ForwardingEntry,
  ifaddrmsg,
  ifinfomsg,
  MessageBuilder,
  type Neighbour,
  type NlMessage,
  ndmsg,
  parseAck,
  parseAddress,
  parseBridgeEntry,
  parseForwardingEntry,
  parseLink,
  parseNeighbour,
  parsePackets,
  parseQdisc,
  parseRoute,
  parseUntaggedVlans,
  type Qdisc,
  type Route,
  rtmsg,
  rtmsgGet,
  splitMessages,
  tcmsg,
} from './codec.js';
import * as c from './constants.js';
import { type NetlinkTransport, RECEIVE_BYTES } from './transport.js';

const TIMEOUT_MS = 5000;
const DUMP_ATTEMPTS = 5;

export interface RtnlOptions {
  /** fd of the namespace to work in; the calling thread's own by default. Not needed any more after construction. */
  netns?: number;
  /** Instead of a socket. */
  transport?: NetlinkTransport;
}

/** What setLink() changes; what is absent stays. */
export interface LinkChange {
  up?: boolean;
  mtu?: number;
  name?: string;
  address?: string;
  /** ifindex of a bridge or other upper device; 0 leaves it. */
  master?: number;
  /** IFLA_INET6_ADDR_GEN_MODE: 0 eui64, 1 none, 2 stable-privacy, 3 random. */
  addrGenMode?: number;
  /** Moves the device into this namespace, where it is down and may get another ifindex. */
  netnsFd?: number;
  promisc?: boolean;
  allmulti?: boolean;
  /** Frames. A change throws away what waits in the device's queueing discipline. */
  txQueueLength?: number;
}

export interface VethSpec {
  name: string;
  mac?: string;
  /** Both ends. */
  mtu?: number;
  /** `netnsFd`: the namespace the peer is born in; ours by default. */
  peer: { name: string; mac?: string; netnsFd?: number };
}

export interface BridgeSpec {
  name: string;
  /** Default false: floods multicast at once, which is what a wire does. */
  mcastSnooping?: boolean;
  /** Default false. */
  stp?: boolean;
  /** Seconds. */
  forwardDelay?: number;
  /** Seconds that a learnt address lives. */
  ageing?: number;
}

export interface RouteSpec {
  /** `10.0.0.0/8`, `fd00::/8`; `default` (or absent) with the family of `via`. */
  dst?: string;
  via?: string;
  /** ifindex. */
  dev?: number;
}

/** Type and value of an attribute, raw. */
export type RawAttribute = readonly [type: number, value: Uint8Array];

/** One address of a device, as text. */
export interface DeviceAddress extends Omit<Address, 'bytes'> {
  address: string;
}

const FIXES: ReadonlyMap<number, string> = new Map([
  [c.EPERM, 'run as root or with CAP_NET_ADMIN'],
  [c.EEXIST, 'choose another name, or remove what is there'],
  [c.EOPNOTSUPP, 'the kernel or driver lacks this; see vfailover doctor'],
  [c.EBUSY, 'something else holds the device; release it first'],
]);

/** The VfError for an errno that the kernel answered to `what`. */
export function netlinkError(ack: Ack, what: string, field?: string): VfError {
  const name = errnoName(ack.errno);
  const code =
    ack.errno === c.ENODEV ? 'DEVICE_NOT_FOUND' : ack.errno === c.EPERM ? 'CAPABILITY_MISSING' : 'NETLINK';
  const fix = FIXES.get(ack.errno);
  return new VfError(code, `cannot ${what}: ${ack.message ? `${ack.message} (${name})` : name}`, {
    value: name,
    ...(field !== undefined && { field }),
    ...(fix !== undefined && { fix }),
  });
}

function checkName(name: string, field: string): string {
  if (!/^(?!\.{1,2}$)[^\s/:%\0]+$/.test(name) || Buffer.byteLength(name) > 15) {
    const fix = 'use 1 to 15 bytes without white space, "/", ":" or "%"';
    throw new VfError('NETLINK', `not a device name: ${JSON.stringify(name)}`, { field, value: name, fix });
  }
  return name;
}

/**
 * Requests to rtnetlink, one at a time, synchronous: each blocks the calling thread until the kernel has answered, microseconds to
 * milliseconds (at most 5 s). For set-up and supervision, not for the hot path.
 */
export class Rtnl implements Disposable {
  readonly #socket: NetlinkTransport;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  #seq = 0;

  constructor(options: RtnlOptions = {}) {
    this.#socket =
      options.transport ?? new NetlinkSocket(options.netns === undefined ? {} : { netns: options.netns });
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // ---- links ----

  /** All devices of the namespace, in the kernel's order. */
  links(): Device[] {
    const request = (): MessageBuilder =>
      new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST | c.NLM_F_DUMP)
        .ifinfo(0)
        .u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS);
    return this.dump(request, 'list devices', (m) =>
      m.type === c.RTM_NEWLINK ? parseLink(m.data) : undefined,
    );
  }

  /** One device by ifindex or name (alternative names too); undefined when there is none. */
  link(which: number | string): Device | undefined {
    const request = new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST).ifinfo(
      typeof which === 'number' ? which : 0,
    );
    if (typeof which === 'string') {
      const long = Buffer.byteLength(which) > 15;
      request.string(long ? c.IFLA_ALT_IFNAME : c.IFLA_IFNAME, which);
    }
    request.u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS);
    let found: Device | undefined;
    const ack = this.#exchange(request, `look up device ${which}`, (m) => {
      if (m.type !== c.RTM_NEWLINK) return false;
      found = parseLink(m.data);
      return true; // a plain GET is answered by the device itself, without an ACK
    });
    if (ack.errno !== 0 && ack.errno !== c.ENODEV) throw netlinkError(ack, `look up device ${which}`);
    return found;
  }

  /** Frames that a device has received and sent, as the driver counts; undefined when there is none. */
  packets(ifindex: number): { rx: number; tx: number } | undefined {
    const request = new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST).ifinfo(ifindex);
    let found: { rx: number; tx: number } | undefined;
    const what = `read the counters of device ${ifindex}`;
    const ack = this.#exchange(request, what, (m) => {
      if (m.type !== c.RTM_NEWLINK) return false;
      found = parsePackets(m.data);
      return true;
    });
    if (ack.errno !== 0 && ack.errno !== c.ENODEV) throw netlinkError(ack, what);
    return found;
  }

  /**
   * Changes a device. The kernel applies the parts one after another (netns, address, mtu, name, flags, master …) and does not undo
   * the first ones when a later one fails.
   */
  setLink(ifindex: number, change: LinkChange): void {
    let [flags, mask] = [0, 0];
    const flag = (on: boolean | undefined, bit: number): void => {
      if (on === undefined) return;
      mask |= bit;
      if (on) flags |= bit;
    };
    flag(change.up, c.IFF_UP);
    flag(change.promisc, c.IFF_PROMISC);
    flag(change.allmulti, c.IFF_ALLMULTI);
    const { addrGenMode } = change;
    const request = new MessageBuilder(c.RTM_SETLINK, c.NLM_F_REQUEST | c.NLM_F_ACK).ifinfo(
      ifindex,
      flags,
      mask,
    );
    if (change.mtu !== undefined) request.u32(c.IFLA_MTU, change.mtu);
    if (change.name !== undefined) request.string(c.IFLA_IFNAME, checkName(change.name, 'name'));
    if (change.address !== undefined) request.attr(c.IFLA_ADDRESS, parseMac(change.address));
    if (change.master !== undefined) request.u32(c.IFLA_MASTER, change.master);
    if (change.netnsFd !== undefined) request.u32(c.IFLA_NET_NS_FD, change.netnsFd);
    if (change.txQueueLength !== undefined) request.u32(c.IFLA_TXQLEN, change.txQueueLength);
    if (addrGenMode !== undefined) {
      request.nest(c.IFLA_AF_SPEC, (m) =>
        m.nest(c.AF_INET6, (n) => n.u8(c.IFLA_INET6_ADDR_GEN_MODE, addrGenMode)),
      );
    }
    this.request(request, `change device ${ifindex} (${Object.keys(change).join(', ')})`, fieldOf(change));
  }

  deleteLink(ifindex: number): void {
    const request = new MessageBuilder(c.RTM_DELLINK, c.NLM_F_REQUEST | c.NLM_F_ACK).ifinfo(ifindex);
    this.request(request, `delete device ${ifindex}`);
  }

  /** Two devices joined by a cable. Returns both ifindexes, each as its own namespace counts. */
  createVeth(spec: VethSpec): { ifindex: number; peerIfindex: number } {
    const { peer } = spec;
    const end = (m: MessageBuilder, name: string, field: string, mac: string | undefined): MessageBuilder => {
      m.string(c.IFLA_IFNAME, checkName(name, field));
      if (mac !== undefined) m.attr(c.IFLA_ADDRESS, parseMac(mac, field));
      if (spec.mtu !== undefined) m.u32(c.IFLA_MTU, spec.mtu);
      return m;
    };
    const request = end(this.#create(), spec.name, 'name', spec.mac).nest(c.IFLA_LINKINFO, (m) =>
      m.string(c.IFLA_INFO_KIND, 'veth').nest(c.IFLA_INFO_DATA, (data) =>
        data.nest(c.VETH_INFO_PEER, (p) => {
          end(p.ifinfo(0), peer.name, 'peer.name', peer.mac);
          if (peer.netnsFd !== undefined) p.u32(c.IFLA_NET_NS_FD, peer.netnsFd);
        }),
      ),
    );
    this.request(request, `create veth ${spec.name} with peer ${peer.name}`, 'name');
    const device = this.#created(spec.name);
    return { ifindex: device.ifindex, peerIfindex: device.link ?? 0 };
  }

  /** A bridge; returns its ifindex. */
  createBridge(spec: BridgeSpec): number {
    const request = this.#create()
      .string(c.IFLA_IFNAME, checkName(spec.name, 'name'))
      .nest(c.IFLA_LINKINFO, (m) =>
        m.string(c.IFLA_INFO_KIND, 'bridge').nest(c.IFLA_INFO_DATA, (data) => {
          data
            .u32(c.IFLA_BR_STP_STATE, spec.stp ? 1 : 0)
            .u8(c.IFLA_BR_MCAST_SNOOPING, spec.mcastSnooping ? 1 : 0);
          // both in hundredths of a second
          if (spec.forwardDelay !== undefined)
            data.u32(c.IFLA_BR_FORWARD_DELAY, Math.round(spec.forwardDelay * 100));
          if (spec.ageing !== undefined) data.u32(c.IFLA_BR_AGEING_TIME, Math.round(spec.ageing * 100));
        }),
      );
    this.request(request, `create bridge ${spec.name}`, 'name');
    return this.#created(spec.name).ifindex;
  }

  /** The addresses that a bridge has learnt, each with its port. */
  bridgeEntries(ifindex: number): BridgeEntry[] {
    const request = (): MessageBuilder =>
      new MessageBuilder(c.RTM_GETNEIGH, c.NLM_F_REQUEST | c.NLM_F_DUMP)
        .raw(ndmsg(c.AF_BRIDGE, 0, 0))
        .u32(c.NDA_MASTER, ifindex);
    return this.dump(request, `list what bridge ${ifindex} has learnt`, (m) =>
      m.type === c.RTM_NEWNEIGH ? parseBridgeEntry(m.data, ifindex) : undefined,
    );
  }

  /** The forwarding tables of the namespace: what its bridges know, and the addresses that devices let in beside their own. */
  forwarding(): ForwardingEntry[] {
    const request = (): MessageBuilder =>
      new MessageBuilder(c.RTM_GETNEIGH, c.NLM_F_REQUEST | c.NLM_F_DUMP).raw(ndmsg(c.AF_BRIDGE, 0, 0));
    return this.dump(request, 'list forwarding tables', (m) =>
      m.type === c.RTM_NEWNEIGH ? parseForwardingEntry(m.data) : undefined,
    );
  }

  /** By ifindex of a bridge's port: the VLANs that leave it without a tag. Ports of bridges that do not filter have their default one. */
  untaggedVlans(): Map<number, ReadonlySet<number>> {
    const request = (): MessageBuilder =>
      new MessageBuilder(c.RTM_GETLINK, c.NLM_F_REQUEST | c.NLM_F_DUMP)
        .raw(ifinfomsg(c.AF_BRIDGE))
        .u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_BRVLAN);
    const ports = this.dump(request, 'list VLANs of ports', (m) =>
      m.type === c.RTM_NEWLINK ? parseUntaggedVlans(m.data) : undefined,
    );
    return new Map(ports.map(({ ifindex, untagged }) => [ifindex, untagged]));
  }

  /** Makes a bridge forget the addresses it has learnt. */
  flushBridge(ifindex: number): void {
    const request = new MessageBuilder(c.RTM_NEWLINK, c.NLM_F_REQUEST | c.NLM_F_ACK)
      .ifinfo(ifindex)
      .nest(c.IFLA_LINKINFO, (m) =>
        m
          .string(c.IFLA_INFO_KIND, 'bridge')
          .nest(c.IFLA_INFO_DATA, (data) => data.attr(c.IFLA_BR_FDB_FLUSH, new Uint8Array(0))),
      );
    this.request(request, `flush bridge ${ifindex}`);
  }

  #create(): MessageBuilder {
    const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_EXCL;
    return new MessageBuilder(c.RTM_NEWLINK, flags).ifinfo(0);
  }

  #created(name: string): Device {
    const device = this.link(name);
    if (device === undefined)
      throw new VfError('DEVICE_NOT_FOUND', `${name} was created and is gone or renamed already`);
    return device;
  }

  // ---- addresses, neighbours, routes ----

  /** `10.0.0.1/24` or `fd00::1/64`. `nodad`: an IPv6 address is usable at once, without a check for duplicates. */
  addAddress(ifindex: number, cidr: string, nodad = false): void {
    const { family, bytes, prefix } = parsePrefix(cidr);
    const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_EXCL;
    const request = new MessageBuilder(c.RTM_NEWADDR, flags).raw(ifaddrmsg(family, prefix, ifindex));
    request.attr(c.IFA_LOCAL, bytes).attr(c.IFA_ADDRESS, bytes);
    if (nodad && family === c.AF_INET6) request.u32(c.IFA_FLAGS, c.IFA_F_NODAD);
    this.request(request, `add ${cidr} to device ${ifindex}`, 'address');
  }

  /** The IPv4 and IPv6 addresses of one device, or of all. */
  addresses(ifindex?: number): DeviceAddress[] {
    const request = (): MessageBuilder =>
      new MessageBuilder(c.RTM_GETADDR, c.NLM_F_REQUEST | c.NLM_F_DUMP).raw(ifaddrmsg(c.AF_UNSPEC, 0, 0));
    const all = this.dump(request, 'list addresses', (m) => {
      const parsed = m.type === c.RTM_NEWADDR ? parseAddress(m.data) : undefined;
      if (parsed === undefined) return undefined;
      const { bytes, ...rest } = parsed;
      return { ...rest, address: formatIp(bytes) };
    });
    return ifindex === undefined ? all : all.filter((a) => a.ifindex === ifindex);
  }

  /** A permanent neighbour entry; replaces what is there. */
  addNeighbour(ifindex: number, ip: string, mac: string): void {
    const { family, bytes } = parseIp(ip);
    const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_REPLACE;
    const request = new MessageBuilder(c.RTM_NEWNEIGH, flags)
      .raw(ndmsg(family, ifindex, c.NUD_PERMANENT))
      .attr(c.NDA_DST, bytes)
      .attr(c.NDA_LLADDR, parseMac(mac, 'mac'));
    this.request(request, `add neighbour ${ip} to device ${ifindex}`, 'ip');
  }

  /** What is known of a neighbour; undefined: nothing. Linux 5.0+. */
  neighbour(ifindex: number, ip: string): Neighbour | undefined {
    const { family, bytes } = parseIp(ip);
    const request = new MessageBuilder(c.RTM_GETNEIGH, c.NLM_F_REQUEST)
      .raw(ndmsg(family, ifindex, 0))
      .attr(c.NDA_DST, bytes);
    let found: Neighbour | undefined;
    this.#exchange(request, `look up neighbour ${ip} of device ${ifindex}`, (m) => {
      if (m.type !== c.RTM_NEWNEIGH) return false;
      found = parseNeighbour(m.data);
      return true;
    });
    return found;
  }

  /** Makes the kernel find out a neighbour's MAC as if there were a packet for it; `neighbour` will tell it. */
  resolve(ifindex: number, ip: string): void {
    const { family, bytes } = parseIp(ip);
    const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE;
    const request = new MessageBuilder(c.RTM_NEWNEIGH, flags)
      .raw(ndmsg(family, ifindex, 0, c.NTF_USE))
      .attr(c.NDA_DST, bytes);
    this.request(request, `resolve neighbour ${ip} of device ${ifindex}`, 'ip');
  }

  /** A route of the main table: through a gateway, a device, or both. */
  addRoute(spec: RouteSpec): void {
    const { via, dev } = spec;
    const dst = spec.dst === undefined || spec.dst === 'default' ? undefined : parsePrefix(spec.dst, 'dst');
    const gateway = via === undefined ? undefined : parseIp(via, 'via');
    const family = dst?.family ?? gateway?.family;
    if (family === undefined || (gateway !== undefined && gateway.family !== family)) {
      const fix = 'give a destination prefix, or a gateway, of one family';
      throw new VfError('NETLINK', 'the family of the route is unknown or mixed', {
        field: 'dst',
        value: spec.dst,
        fix,
      });
    }
    // IPv4 wants "on this link" said; IPv6 refuses any scope
    const scope = family === c.AF_INET && gateway === undefined ? c.RT_SCOPE_LINK : c.RT_SCOPE_UNIVERSE;
    const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_EXCL;
    const request = new MessageBuilder(c.RTM_NEWROUTE, flags).raw(rtmsg(family, dst?.prefix ?? 0, scope));
    if (dst !== undefined) request.attr(c.RTA_DST, dst.bytes);
    if (gateway !== undefined) request.attr(c.RTA_GATEWAY, gateway.bytes);
    if (dev !== undefined) request.u32(c.RTA_OIF, dev);
    this.request(request, `add route ${spec.dst ?? 'default'}`, 'dst');
  }

  /** The way that the kernel would take to an address; undefined: none. */
  route(ip: string): Route | undefined {
    const { family, bytes } = parseIp(ip);
    const request = new MessageBuilder(c.RTM_GETROUTE, c.NLM_F_REQUEST)
      .raw(rtmsgGet(family, bytes.length * 8))
      .attr(c.RTA_DST, bytes);
    let found: Route | undefined;
    this.#exchange(request, `find the way to ${ip}`, (m) => {
      if (m.type !== c.RTM_NEWROUTE) return false;
      found = parseRoute(m.data);
      return true;
    });
    return found;
  }

  // ---- qdiscs ----

  /** The queueing disciplines, clsact and ingress included, of one device or of all. */
  qdiscs(ifindex?: number): Qdisc[] {
    const request = (): MessageBuilder =>
      new MessageBuilder(c.RTM_GETQDISC, c.NLM_F_REQUEST | c.NLM_F_DUMP).raw(tcmsg(0));
    const all = this.dump(request, 'list qdiscs', (m) =>
      m.type === c.RTM_NEWQDISC ? parseQdisc(m.data) : undefined,
    );
    return ifindex === undefined ? all : all.filter((q) => q.ifindex === ifindex);
  }

  // ---- messages as bytes ----

  /** The data of all messages of `type` that the kernel answers to a request for a list: a fixed header, then attributes. */
  dumpRaw(
    request: number,
    head: Uint8Array,
    attributes: readonly RawAttribute[],
    type: number,
    what: string,
  ): Uint8Array[] {
    const build = (): MessageBuilder => rawMessage(request, c.NLM_F_REQUEST | c.NLM_F_DUMP, head, attributes);
    return this.dump(build, what, (m) => (m.type === type ? m.data.slice() : undefined));
  }

  /** A request by a fixed header and attributes. `tolerated`: errnos that are no error. */
  requestRaw(
    request: number,
    flags: number,
    head: Uint8Array,
    attributes: readonly RawAttribute[],
    what: string,
    tolerated: readonly number[] = [],
  ): void {
    const message = rawMessage(request, c.NLM_F_REQUEST | c.NLM_F_ACK | flags, head, attributes);
    const ack = this.#exchange(message, what, () => false);
    if (ack.errno !== 0 && !tolerated.includes(ack.errno)) throw netlinkError(ack, what);
  }

  // ---- request and answer ----

  /** For other files of this folder: sends one request and waits for its acknowledgement. Throws the kernel's refusal. */
  request(request: MessageBuilder, what: string, field?: string): void {
    const ack = this.#exchange(request, what, () => false);
    if (ack.errno !== 0) throw netlinkError(ack, what, field);
  }

  /**
   * For other files of this folder. A list is one consistent picture or none: a dump that the kernel marks as interrupted by a change, or whose datagrams were lost,
   * is asked for again.
   */
  dump<T>(request: () => MessageBuilder, what: string, parse: (m: NlMessage) => T | undefined): T[] {
    for (let attempt = 1; ; attempt++) {
      const out: T[] = [];
      let broken = false;
      const ack = this.#exchange(
        request(),
        what,
        (m) => {
          if ((m.flags & c.NLM_F_DUMP_INTR) !== 0) broken = true;
          const item = m.type === c.NLMSG_DONE ? undefined : parse(m);
          if (item !== undefined) out.push(item);
          return false;
        },
        () => {
          broken = true;
        },
      );
      if (!broken && ack.errno === 0) return out;
      const again = broken || ack.errno === c.EINTR || ack.errno === c.EBUSY;
      if (!again) throw netlinkError(ack, what);
      if (attempt === DUMP_ATTEMPTS) {
        const fix = 'try again when fewer devices come and go';
        throw new VfError('NETLINK', `cannot ${what}: it changed during each of ${attempt} readings`, {
          value: 'EINTR',
          fix,
        });
      }
    }
  }

  /**
   * Sends one request and reads until its end: an error or ACK, the end of a dump, or `onMessage` returning true. Answers to earlier
   * requests (one that timed out) are skipped by their sequence number.
   */
  #exchange(
    request: MessageBuilder,
    what: string,
    onMessage: (m: NlMessage) => boolean,
    onOverrun: () => void = () => {},
  ): Ack {
    this.#seq = (this.#seq + 1) >>> 0;
    const seq = this.#seq;
    const sent = this.#socket.send(request.finish(seq));
    if (sent < 0) return { errno: -sent };
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const n = this.#socket.recv(this.#buffer);
      if (n === -c.EAGAIN || n === -c.EINTR) {
        this.#await(deadline, what);
      } else if (n === -c.ENOBUFS) {
        onOverrun();
      } else if (n < 0) {
        return { errno: -n };
      } else {
        for (const message of splitMessages(this.#buffer.subarray(0, n))) {
          if (message.seq !== seq) continue;
          if (onMessage(message)) return { errno: 0 };
          if (message.type === c.NLMSG_ERROR || message.type === c.NLMSG_DONE) return parseAck(message);
        }
      }
    }
  }

  #await(deadline: number, what: string): void {
    const left = Math.ceil(deadline - performance.now());
    const ready = left > 0 ? this.#socket.pollIn(left) : 0;
    if (ready < 0) throw netlinkError({ errno: -ready }, what);
    if (ready === 0 && performance.now() >= deadline) {
      throw new VfError('NETLINK', `cannot ${what}: the kernel has not answered in ${TIMEOUT_MS} ms`, {
        value: 'ETIMEDOUT',
      });
    }
  }
}

function rawMessage(
  type: number,
  flags: number,
  head: Uint8Array,
  attributes: readonly RawAttribute[],
): MessageBuilder {
  const message = new MessageBuilder(type, flags).raw(head);
  for (const [key, value] of attributes) message.attr(key, value);
  return message;
}

/** The field that an error is about, when only one was asked to change. */
function fieldOf(change: LinkChange): string | undefined {
  const keys = Object.keys(change);
  return keys.length === 1 ? keys[0] : undefined;
}
