import { BpfError } from '../errors.js';
import { type KernelObject, openObjects } from '../kernel/fdinfo.js';
import { listPins } from '../kernel/pin.js';
import { Program } from '../program/program.js';
import { ControlSocket } from '../sys/ethtool.js';
import { errnoName } from '../sys/fd.js';
import { listClsact } from './clsact-list.js';
import { Link } from './link.js';
import { type Direction, type NetkitSide, queryNetkit, queryTcx } from './tcx.js';
import { queryXdp, type XdpMode } from './xdp.js';

/** What inspect() may be told. */
export interface InspectOptions {
  /** Folders of pins that are ours. */
  pins?: readonly string[];
}

/** @inline */
interface OnDevice {
  progId: number;
  /** '' when the program ended while it was looked at. */
  name: string;
  tag: string;
  /** The program or its link is open in this process, or pinned below one of `pins`. */
  ours: boolean;
}

/** A program on a device, by the hook that it hangs on. */
export type AttachedProgram = OnDevice &
  (
    | { hook: 'xdp'; mode: XdpMode; linkId?: number }
    | { hook: 'tcx'; direction: Direction; linkId?: number }
    | { hook: 'clsact'; direction: Direction; handle: number; priority: number }
    | { hook: 'netkit'; side: NetkitSide; linkId?: number }
  );

type Whose = (progId: number, linkId?: number) => OnDevice;

function nameOf(progId: number): { name: string; tag: string } {
  try {
    using program = Program.fromId(progId);
    return program.info;
  } catch (e) {
    if (e instanceof BpfError && e.errno === 'ENOENT') return { name: '', tag: '' };
    throw e;
  }
}

function whose(pins: readonly string[]): Whose {
  const own: KernelObject[] = [...openObjects(), ...pins.flatMap((folder) => listPins(folder))];
  const ids = (kind: KernelObject['kind']): Set<number> =>
    new Set(own.filter((o) => o.kind === kind).map((o) => o.id));
  const [programs, links] = [ids('program'), ids('link')];
  return (progId, linkId) => {
    const { name, tag } = nameOf(progId);
    const ours = programs.has(progId) || (linkId !== undefined && links.has(linkId));
    return { progId, name, tag, ours };
  };
}

/** Links of XDP are not told with the device: the one of the kernel's that has this program there. */
function xdpLink(ifindex: number, progId: number): number | undefined {
  for (const id of Link.ids()) {
    try {
      using link = Link.fromId(id);
      const info = link.info();
      if (info.typeName === 'xdp' && info.ifindex === ifindex && info.progId === progId) return id;
    } catch (e) {
      if (!(e instanceof BpfError) || e.errno !== 'ENOENT') throw e;
    }
  }
  return undefined;
}

const withLink = (linkId: number | undefined): { linkId?: number } => (linkId ? { linkId } : {});

function xdp(ifindex: number, of: Whose): AttachedProgram[] {
  const attached = queryXdp(ifindex);
  return (['offload', 'native', 'generic'] as const)
    .filter((mode) => attached[mode] !== 0)
    .map((mode) => {
      const linkId = xdpLink(ifindex, attached[mode]);
      return { hook: 'xdp', mode, ...of(attached[mode], linkId), ...withLink(linkId) };
    });
}

/** A list that this kernel, or this kind of device, does not have is empty. */
function listed(
  query: () => { entries: { progId: number; linkId: number }[] },
): { progId: number; linkId: number }[] {
  try {
    return query().entries;
  } catch (e) {
    if (
      e instanceof BpfError &&
      (e.code === 'BPF_UNSUPPORTED' || ['ENXIO', 'EACCES'].includes(e.errno ?? ''))
    )
      return [];
    throw e;
  }
}

function tc(ifindex: number, direction: Direction, of: Whose): AttachedProgram[] {
  const tcx = listed(() => queryTcx(ifindex, direction)).map(
    ({ progId, linkId }): AttachedProgram => ({
      hook: 'tcx',
      direction,
      ...of(progId, linkId),
      ...withLink(linkId),
    }),
  );
  const clsact = listClsact(ifindex, direction).map(
    ({ progId, handle, priority }): AttachedProgram => ({
      hook: 'clsact',
      direction,
      ...of(progId),
      handle,
      priority,
    }),
  );
  return [...tcx, ...clsact];
}

const netkit = (ifindex: number, side: NetkitSide, of: Whose): AttachedProgram[] =>
  listed(() => queryNetkit(ifindex, side)).map(({ progId, linkId }) => ({
    hook: 'netkit',
    side,
    ...of(progId, linkId),
    ...withLink(linkId),
  }));

/**
 * Every program on a device of the calling thread's namespace, in the order that a frame meets them: first those that see what comes in (XDP,
 * TCX, clsact), then what goes out (TCX, clsact, netkit). A link id of XDP is the kernel's only answer up to a device of the same number
 * in another namespace with the same program. Needs CAP_SYS_ADMIN. Throws BPF_ATTACH (ENODEV), BPF_PERMISSION, BPF_PIN for a folder that
 * is none.
 */
export function inspect(ifindex: number, options: InspectOptions = {}): AttachedProgram[] {
  const { pins = [] } = options;
  // What this process has open is read for a program only: most devices have none, and a process may have thousands of descriptors.
  let known = pins.length > 0 ? whose(pins) : undefined;
  const of: Whose = (progId, linkId) => {
    known ??= whose([]);
    return known(progId, linkId);
  };
  const found = [
    ...xdp(ifindex, of),
    ...tc(ifindex, 'ingress', of),
    ...tc(ifindex, 'egress', of),
    ...netkit(ifindex, 'primary', of),
    ...netkit(ifindex, 'peer', of),
  ];
  if (found.length === 0) {
    // A kernel without TCX says nothing of a device that is not there.
    using control = new ControlSocket();
    if (errnoName(control.linkState(ifindex)) === 'ENODEV')
      throw new BpfError('BPF_ATTACH', `inspect: there is no device ${ifindex} in this network namespace`, {
        errno: 'ENODEV',
      });
  }
  return found;
}
