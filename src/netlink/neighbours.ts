/** Neighbours: what the kernel knows of them, and requests about them. Pure. */
import { parseIp } from '../frames/address.js';
import { parseMac } from '../frames/mac.js';
import * as c from './constants.js';
import { attributesAfter, LE, MessageBuilder, need, viewOf } from './message.js';

/** What the kernel knows of a neighbour. */
export interface Neighbour {
  /** undefined: it does not answer, or has not yet. */
  mac: Uint8Array | undefined;
  /** Heard of not long ago, or configured; otherwise it is worth asking anew. */
  fresh: boolean;
}

const NUD_FRESH = c.NUD_REACHABLE | c.NUD_NOARP | c.NUD_PERMANENT;
const NUD_VALID = NUD_FRESH | c.NUD_STALE | c.NUD_DELAY | c.NUD_PROBE;

/** The neighbour in RTM_NEWNEIGH data. */
export function parseNeighbour(data: Uint8Array): Neighbour {
  const state = need(data, 12).getUint16(8, LE);
  const mac = attributesAfter(data, 12).get(c.NDA_LLADDR);
  const valid = (state & NUD_VALID) !== 0 && mac?.length === 6;
  return { mac: valid ? mac.slice() : undefined, fresh: valid && (state & NUD_FRESH) !== 0 };
}

/** Asks for a permanent neighbour entry, in the place of what is there. */
export function neighbourRequest(ifindex: number, ip: string, mac: string): MessageBuilder {
  const { family, bytes } = parseIp(ip);
  const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_REPLACE;
  return new MessageBuilder(c.RTM_NEWNEIGH, flags)
    .raw(ndmsg(family, ifindex, c.NUD_PERMANENT))
    .attr(c.NDA_DST, bytes)
    .attr(c.NDA_LLADDR, parseMac(mac, 'mac'));
}

/** Asks what is known of a neighbour. */
export function neighbourQuestion(ifindex: number, ip: string): MessageBuilder {
  const { family, bytes } = parseIp(ip);
  return new MessageBuilder(c.RTM_GETNEIGH, c.NLM_F_REQUEST)
    .raw(ndmsg(family, ifindex, 0))
    .attr(c.NDA_DST, bytes);
}

/** Asks the kernel to find out a neighbour's MAC as if there were a packet for it. */
export function resolveRequest(ifindex: number, ip: string): MessageBuilder {
  const { family, bytes } = parseIp(ip);
  const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE;
  return new MessageBuilder(c.RTM_NEWNEIGH, flags)
    .raw(ndmsg(family, ifindex, 0, c.NTF_USE))
    .attr(c.NDA_DST, bytes);
}

/** struct ndmsg. */
export function ndmsg(family: number, ifindex: number, state: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes[10] = flags;
  bytes[0] = family;
  viewOf(bytes).setInt32(4, ifindex, LE);
  viewOf(bytes).setUint16(8, state, LE);
  return bytes;
}
