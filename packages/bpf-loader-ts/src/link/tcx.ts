import { native } from '../binding.js';
import { AttachType } from '../constants.js';
import { BpfError } from '../errors.js';
import { haveNetkit, haveTcx } from '../probe/attach.js';
import { orUnsupported, type Probe } from '../probe/probe.js';
import type { Program } from '../program/program.js';
import { wrap } from '../wrap.js';
import { Link } from './link.js';
import { type PlaceOptions, place } from './place.js';

/** What comes in, or what goes out. */
export type Direction = 'ingress' | 'egress';
/** The device that a program is attached to, or its peer: what leaves that comes in here. */
export type NetkitSide = 'primary' | 'peer';
/** Where in the list, and on which condition. */
export type TcxOptions = PlaceOptions;

/** The programs of a list in the order they run, and the list's revision, which every change raises. */
export interface ProgramList {
  revision: number;
  entries: { progId: number; linkId: number }[];
}

/** What TCX and netkit share: a list of tc programs on a device. */
interface Hook {
  attachType: number;
  name: string;
  have: () => Probe;
}

function hook(kind: 'TCX' | 'netkit', sides: Record<string, number>, side: string, have: () => Probe): Hook {
  if (!Object.hasOwn(sides, side))
    throw new BpfError(
      'BPF_ARGUMENT',
      `${kind} ${String(side)} is not known; there are ${Object.keys(sides).join(', ')}`,
    );
  return { attachType: sides[side]!, name: `${kind} ${side}`, have };
}

const TCX = { ingress: AttachType.tcx_ingress, egress: AttachType.tcx_egress };
const NETKIT = { primary: AttachType.netkit_primary, peer: AttachType.netkit_peer };
const tcx = (direction: Direction): Hook => hook('TCX', TCX, direction, haveTcx);
const netkit = (side: NetkitSide): Hook => hook('netkit', NETKIT, side, haveNetkit);

function attach(
  program: Program,
  ifindex: number,
  { attachType, name, have }: Hook,
  options: PlaceOptions,
): Link {
  const { flags, relative, expectedRevision } = place(options);
  return Link.attach({ program, to: `${name} of device ${ifindex}`, takes: ['sched_cls'], have }, () =>
    native.linkCreate(program.fd, ifindex, attachType, flags, relative, expectedRevision),
  );
}

function query(ifindex: number, { attachType, name, have }: Hook): ProgramList {
  const doing = `query of ${name} of device ${ifindex}`;
  try {
    return wrap('BPF_ATTACH', doing, () => native.progQuery(ifindex, attachType, true));
  } catch (e) {
    throw orUnsupported(e, doing, have);
  }
}

/**
 * Attaches a tc program by TCX (Linux 6.6; BPF_UNSUPPORTED before). In the calling thread's namespace. Throws BPF_ATTACH: ENODEV, EEXIST for a
 * program that is in the list already, ENOENT for an anchor that is not, ESTALE for a list that has changed.
 */
export const attachTcx = (
  program: Program,
  ifindex: number,
  direction: Direction,
  options: TcxOptions = {},
): Link => attach(program, ifindex, tcx(direction), options);

/** The programs on a device in the order they run (Linux 6.6). */
export const queryTcx = (ifindex: number, direction: Direction): ProgramList =>
  query(ifindex, tcx(direction));

/**
 * Attaches a tc program to a netkit device (Linux 6.7): `primary` to what this device sends, `peer` to what its peer sends. Only from the
 * primary device's side. ENXIO for a device that is no netkit, EACCES for the peer's.
 */
export const attachNetkit = (
  program: Program,
  ifindex: number,
  side: NetkitSide,
  options: PlaceOptions = {},
): Link => attach(program, ifindex, netkit(side), options);

/** The programs on a netkit device in the order they run (Linux 6.7). */
export const queryNetkit = (ifindex: number, side: NetkitSide): ProgramList => query(ifindex, netkit(side));

/**
 * A number for what is on each of `n` hooks, which other programs, other links or another order change: out[i] for the hook attachTypes[i]
 * (AttachType.tcx_ingress, tcx_egress) of device ifindexes[i] in the namespace netnsFds[i], or -errno; 0 where the ifindex is 0. One call for
 * all, 0.6 µs a hook, nothing allocated: how many hooks are watched. The thread is back in its own namespace on return; another one than its
 * own takes CAP_SYS_ADMIN. Returns n, or -EINVAL when an array is shorter than n. Linux 6.6.
 */
export const listMarks = native.listMarks as (
  netnsFds: Int32Array,
  ifindexes: Int32Array,
  attachTypes: Int32Array,
  out: Int32Array,
  n: number,
) => number;
