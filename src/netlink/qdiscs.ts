import * as c from './constants.js';
import type { RawAttribute } from './requests.js';
import type { Rtnl } from './rtnl.js';
import type { Qdisc } from './tc.js';
import { tcmsg } from './tc.js';

export const TC_H_ROOT = 0xffff_ffff;

/** The qdisc that all that leaves by a device passes; undefined: it was never up, and nobody gave it one. */
export const rootOf = (all: readonly Qdisc[], ifindex: number): Qdisc | undefined =>
  all.find((q) => q.ifindex === ifindex && q.parent === TC_H_ROOT);

/** Qdiscs that order what leaves by a device: the root, or below an mq those of the queues in use. */
export function queuesOf(all: readonly Qdisc[], ifindex: number): Qdisc[] {
  const root = rootOf(all, ifindex);
  if (root?.kind !== 'mq') return root === undefined ? [] : [root];
  return all.filter((q) => q !== root && q.ifindex === ifindex && q.parent >>> 16 === root.handle >>> 16);
}

/** Where a qdisc is, and what it is. */
export interface QdiscSpec {
  ifindex: number;
  /** TC_H_ROOT, or a class: major << 16 | minor. */
  parent: number;
  /** major << 16; 0: the kernel chooses one. */
  handle: number;
  kind: string;
  /** TCA_OPTIONS as the kernel lists them; its defaults if undefined. */
  options?: Uint8Array | undefined;
}

/** Puts a qdisc in the place of one that the kernel made by itself (handle 0). Throws EEXIST where somebody has configured one. */
export const addQdisc = (rtnl: Rtnl, spec: QdiscSpec): void =>
  send(rtnl, spec, c.NLM_F_CREATE | c.NLM_F_EXCL);

/** Gives a qdisc that is there these options. */
export const changeQdisc = (rtnl: Rtnl, spec: QdiscSpec): void => send(rtnl, spec, 0);

function send(rtnl: Rtnl, { ifindex, parent, handle, kind, options }: QdiscSpec, flags: number): void {
  const attributes: RawAttribute[] = [[c.TCA_KIND, Buffer.from(`${kind}\0`)]];
  if (options !== undefined) attributes.push([c.TCA_OPTIONS, options]);
  const what = `set qdisc ${kind} of device ${ifindex}`;
  const head = tcmsg(ifindex, handle, parent);
  rtnl.requestRaw({ type: c.RTM_NEWQDISC, head, attributes, what }, flags);
}

/** Removes the root with this handle: the kernel puts in its place what the device began with. No error if there is none. */
export function deleteRootQdisc(rtnl: Rtnl, ifindex: number, handle: number): void {
  const gone = [c.ENOENT, c.EINVAL, c.ENODEV];
  const what = `remove the root qdisc of device ${ifindex}`;
  const head = tcmsg(ifindex, handle, TC_H_ROOT);
  rtnl.requestRaw({ type: c.RTM_DELQDISC, head, attributes: [], what }, 0, gone);
}
