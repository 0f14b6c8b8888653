/** Queueing disciplines as the kernel tells of them. Pure. */
import * as c from './constants.js';
import {
  attributesAfter,
  LE,
  MessageBuilder,
  need,
  parseAttributes,
  readString,
  readU32,
  viewOf,
} from './message.js';

/** One queueing discipline of a device. */
export interface Qdisc {
  ifindex: number;
  /** clsact, ingress, noqueue, fq_codel … */
  kind: string;
  /** major << 16 | minor. */
  handle: number;
  parent: number;
  /** Frames that wait in it; absent: the kernel does not say. */
  queued?: number;
  /** TCA_OPTIONS, raw; undefined: the kind has none. */
  options?: Uint8Array;
}

/** The qdisc in RTM_NEWQDISC data. */
export function parseQdisc(data: Uint8Array): Qdisc {
  const view = need(data, 20);
  const attributes = attributesAfter(data, 20);
  const kind = attributes.get(c.TCA_KIND);
  const options = attributes.get(c.TCA_OPTIONS);
  const stats = attributes.get(c.TCA_STATS2);
  const queue = stats && parseAttributes(stats).get(c.TCA_STATS_QUEUE);
  return {
    ifindex: view.getInt32(4, LE),
    kind: kind === undefined ? '' : readString(kind),
    handle: view.getUint32(8, LE),
    parent: view.getUint32(12, LE),
    ...(queue !== undefined && { queued: readU32(queue) }),
    ...(options !== undefined && { options: options.slice() }),
  };
}

/** Asks for the queueing disciplines of all devices, clsact and ingress included. */
export const qdiscsRequest = (): MessageBuilder =>
  new MessageBuilder(c.RTM_GETQDISC, c.NLM_F_REQUEST | c.NLM_F_DUMP).raw(tcmsg(0));

/** struct tcmsg. */
export function tcmsg(ifindex: number, handle = 0, parent = 0): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = viewOf(bytes);
  view.setInt32(4, ifindex, LE);
  view.setUint32(8, handle, LE);
  view.setUint32(12, parent, LE);
  return bytes;
}
