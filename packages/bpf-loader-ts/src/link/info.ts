import { linkTypeName } from '../constants.js';

/** @inline What every link has. */
interface Common {
  /** LinkType. */
  type: number;
  id: number;
  progId: number;
  /** 0 when the device is gone (the link is defunct), and for links that are not on a device. Of a netkit pair's peer side it is the peer's own. */
  ifindex: number;
  /** AttachType; 0 for kinds of links that do not tell. */
  attachType: number;
}

/** What a kind of perf event link says of its event; `unspec` is all that kernels before 6.6 say. */
export type PerfEvent =
  | { perfTypeName: 'unspec' }
  | { perfTypeName: 'uprobe' | 'uretprobe'; name: string; offset: number; cookie: bigint }
  | { perfTypeName: 'kprobe' | 'kretprobe'; name: string; offset: number; missed: bigint; cookie: bigint }
  | { perfTypeName: 'tracepoint'; name: string; cookie: bigint }
  | { perfTypeName: 'event'; eventType: number; config: bigint; cookie: bigint };

/** @inline What each kind has of its own. */
type Kinds =
  | { typeName: 'xdp' | 'tcx' | 'netkit' }
  | { typeName: 'raw_tracepoint'; name: string; cookie: bigint }
  /** The target: id of a program, or of the BTF object that has the function (1 for the kernel's own), and the function's type there. */
  | { typeName: 'tracing'; targetObjId: number; targetBtfId: number; cookie: bigint }
  | { typeName: 'cgroup'; cgroupId: bigint }
  | { typeName: 'iter'; target: string }
  | { typeName: 'netns'; netnsInode: number }
  | { typeName: 'struct_ops' | 'sockmap'; mapId: number }
  | { typeName: 'netfilter'; pf: number; hooknum: number; priority: number; flags: number }
  | ({ typeName: 'perf_event' } & PerfEvent)
  /** Kinds of which this version knows no more. */
  | { typeName: 'unspec' | 'kprobe_multi' | 'uprobe_multi' };

/**
 * What the kernel says of a link, by `typeName`. Cookies are 0n where none was given, and on kernels that do not tell them (before 6.6, of tracing
 * before 6.18).
 */
export type LinkInfo = Common & Kinds;

const PERF_TYPES: readonly PerfEvent['perfTypeName'][] = [
  'unspec',
  'uprobe',
  'uretprobe',
  'kprobe',
  'kretprobe',
  'tracepoint',
  'event',
];

/** From what the addon reads. */
export function linkInfo(raw: Common & { perfType?: number }): LinkInfo {
  const { perfType, ...rest } = raw;
  return {
    ...rest,
    typeName: linkTypeName(raw.type),
    ...(perfType !== undefined && { perfTypeName: PERF_TYPES[perfType] ?? 'unspec' }),
  } as LinkInfo;
}
