/** Routes: what the kernel tells of them, and requests about them. Pure. */
import { VfError } from '../errors.js';
import { parseIp, parsePrefix } from '../frames/address.js';
import * as c from './constants.js';
import { attributesAfter, MessageBuilder, need, readU32 } from './message.js';

/** The way to an address. */
export interface Route {
  /** RTN_*: 1 unicast, 2 local, 3 broadcast, 5 multicast. */
  type: number;
  /** Where it begins; 0 where the kernel names no device. */
  ifindex: number;
  /** Raw; undefined: the address is on the link. */
  gateway?: Uint8Array;
  /** Raw: the source address that the kernel would take. */
  source?: Uint8Array;
}

/** The route in RTM_NEWROUTE data. */
export function parseRoute(data: Uint8Array): Route {
  const type = need(data, 12).getUint8(7);
  const attrs = attributesAfter(data, 12);
  const oif = attrs.get(c.RTA_OIF);
  const [gateway, source] = [attrs.get(c.RTA_GATEWAY), attrs.get(c.RTA_PREFSRC)];
  return {
    type,
    ifindex: oif === undefined ? 0 : readU32(oif),
    ...(gateway !== undefined && { gateway: gateway.slice() }),
    ...(source !== undefined && { source: source.slice() }),
  };
}

export interface RouteSpec {
  /** `10.0.0.0/8`, `fd00::/8`; `default` (or absent) with the family of `via`. */
  dst?: string;
  via?: string;
  /** ifindex. */
  dev?: number;
}

/** Asks for a route of the main table: through a gateway, a device, or both. */
export function routeRequest(spec: RouteSpec): MessageBuilder {
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
  return request;
}

/** Asks for the way that the kernel would take to an address. */
export function wayRequest(ip: string): MessageBuilder {
  const { family, bytes } = parseIp(ip);
  return new MessageBuilder(c.RTM_GETROUTE, c.NLM_F_REQUEST)
    .raw(rtmsgGet(family, bytes.length * 8))
    .attr(c.RTA_DST, bytes);
}

/** struct rtmsg. */
function rtmsg(family: number, prefix: number, scope: number): Uint8Array {
  const [srcLen, tos] = [0, 0];
  const head = [family, prefix, srcLen, tos, c.RT_TABLE_MAIN, c.RTPROT_STATIC, scope, c.RTN_UNICAST];
  return Uint8Array.of(...head, 0, 0, 0, 0);
}

/** struct rtmsg that asks for the way to one address. */
function rtmsgGet(family: number, prefix: number): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes[0] = family;
  bytes[1] = prefix;
  return bytes;
}
