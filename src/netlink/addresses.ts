/** Addresses of devices: what the kernel tells of them, and requests about them. Pure. */
import { parsePrefix } from '../frames/address.js';
import * as c from './constants.js';
import { attributesAfter, LE, MessageBuilder, malformed, need, readU32, viewOf } from './message.js';

/** One address of a device. */
export interface Address {
  ifindex: number;
  family: 4 | 6;
  /** The raw address; ip.ts formats it. */
  bytes: Uint8Array;
  prefix: number;
  /** 0 universe, 253 link, 254 host. */
  scope: number;
  /** IFA_F_*. */
  flags: number;
}

/** The address in RTM_NEWADDR data; undefined for families other than IPv4 and IPv6. */
export function parseAddress(data: Uint8Array): Address | undefined {
  const view = need(data, 8);
  const family = view.getUint8(0);
  if (family !== c.AF_INET && family !== c.AF_INET6) return undefined;
  const attrs = attributesAfter(data, 8);
  // on a point-to-point link ADDRESS is the peer's, LOCAL ours
  const bytes = attrs.get(c.IFA_LOCAL) ?? attrs.get(c.IFA_ADDRESS);
  if (bytes === undefined || bytes.length !== (family === c.AF_INET ? 4 : 16))
    throw malformed('an address without bytes');
  const flags = attrs.get(c.IFA_FLAGS);
  return {
    ifindex: view.getUint32(4, LE),
    family: family === c.AF_INET ? 4 : 6,
    bytes: bytes.slice(),
    prefix: view.getUint8(1),
    scope: view.getUint8(3),
    flags: flags === undefined ? view.getUint8(2) : readU32(flags),
  };
}

/** One address of a device, as text. */
export interface DeviceAddress extends Omit<Address, 'bytes'> {
  address: string;
}

/** Asks for the addresses of all devices. */
export const addressesRequest = (): MessageBuilder =>
  new MessageBuilder(c.RTM_GETADDR, c.NLM_F_REQUEST | c.NLM_F_DUMP).raw(ifaddrmsg(c.AF_UNSPEC, 0, 0));

/** Asks to give a device an address. `nodad`: an IPv6 address is usable at once, without a check for duplicates. */
export function addressRequest(ifindex: number, cidr: string, nodad: boolean): MessageBuilder {
  const { family, bytes, prefix } = parsePrefix(cidr);
  const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_EXCL;
  const request = new MessageBuilder(c.RTM_NEWADDR, flags).raw(ifaddrmsg(family, prefix, ifindex));
  request.attr(c.IFA_LOCAL, bytes).attr(c.IFA_ADDRESS, bytes);
  if (nodad && family === c.AF_INET6) request.u32(c.IFA_FLAGS, c.IFA_F_NODAD);
  return request;
}

/** struct ifaddrmsg. */
function ifaddrmsg(family: number, prefix: number, ifindex: number): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[0] = family;
  bytes[1] = prefix;
  viewOf(bytes).setUint32(4, ifindex, LE);
  return bytes;
}
