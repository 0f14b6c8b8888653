import { BpfError } from '../errors.js';
import { explainPermission } from '../kernel/permission.js';
import { errnoName } from '../sys/fd.js';
import { NetlinkSocket } from '../sys/netlink-socket.js';
import type { Direction } from './tcx.js';

/** A cls_bpf filter of a device's clsact qdisc. */
export interface ClsactFilter {
  handle: number;
  /** Lower runs first. */
  priority: number;
  progId: number;
  /** As given by whoever attached it: libbpf and this package say `name:[id]`, tc the object's file and section. */
  name: string;
  tag: string;
  /** True: the program decides itself (TC_ACT_…); false: it only classifies, for actions behind it. */
  directAction: boolean;
}

/** A filter of any kind on a device's clsact or ingress qdisc. */
export interface TcFilter {
  /** Of the classifier: `bpf`, `u32`, `flower`, `matchall` … */
  kind: string;
  handle: number;
  /** Lower runs first. */
  priority: number;
  /** Ethertype in host order; 3 (ETH_P_ALL) for every frame. */
  protocol: number;
  /** Frames begin at 0; other chains are reached by an action only. */
  chain: number;
  /** Of an eBPF program. */
  progId?: number;
  /** As `ClsactFilter` has it. */
  name?: string;
}

/** What holds filters at a device's ingress, and with clsact its egress. */
export interface IngressQdisc {
  /** `ingress` has no egress: what is attached there runs on what comes in. */
  kind: 'clsact' | 'ingress';
  /** It shares a block of filters with other devices. */
  shared: boolean;
}

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;
const TCM_BYTES = 20;
const HEADER_BYTES = 16;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) and …EGRESS */
const PARENT: Record<Direction, number> = { ingress: 0xfffffff2, egress: 0xfffffff3 };
/** TC_H_INGRESS, which is TC_H_CLSACT */
const PARENT_OF_BOTH = 0xfffffff1;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_CHAIN = 11;
const TCA_INGRESS_BLOCK = 13;
const TCA_EGRESS_BLOCK = 14;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_TAG = 10;
const TCA_BPF_ID = 11;
const TCA_BPF_FLAG_ACT_DIRECT = 1;

const ATTEMPTS = 5;
const TIMEOUT_MS = 5000;
/** The kernel fills one datagram of a dump up to 32 KiB. */
const RECEIVE_BYTES = 65536;

function request(type: number, ifindex: number, parent: number, seq: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + TCM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  view.setUint32(8, seq, true);
  // struct tcmsg: family, ifindex, handle, parent, info
  view.setInt32(HEADER_BYTES + 4, ifindex, true);
  view.setUint32(HEADER_BYTES + 12, parent, true);
  return bytes;
}

/** The attributes between two offsets. */
function attributes(view: DataView, from: number, to: number): Map<number, DataView> {
  const found = new Map<number, DataView>();
  for (let at = from; at + 4 <= to; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > to) break;
    const type = view.getUint16(at + 2, true) & 0x3fff;
    found.set(type, new DataView(view.buffer, view.byteOffset + at + 4, length - 4));
    at += (length + 3) & ~3;
  }
  return found;
}

const bytesOf = (view: DataView | undefined): Buffer =>
  view ? Buffer.from(view.buffer, view.byteOffset, view.byteLength) : Buffer.alloc(0);
const textOf = (view: DataView | undefined): string => bytesOf(view).toString('utf8').replace(/\0.*$/s, '');
const u32Of = (view: DataView | undefined): number =>
  view && view.byteLength >= 4 ? view.getUint32(0, true) : 0;

/** What an RTM_NEWTFILTER message tells of a filter; undefined for the head of a priority's list. */
function filter(view: DataView, from: number, to: number): (TcFilter & ClsactFilter) | TcFilter | undefined {
  const tca = attributes(view, from + TCM_BYTES, to);
  const options = tca.get(TCA_OPTIONS);
  const handle = view.getUint32(from + 8, true);
  const kind = textOf(tca.get(TCA_KIND));
  if (!options || handle === 0) return undefined;
  const info = view.getUint32(from + 16, true);
  const any: TcFilter = {
    kind,
    handle,
    priority: info >>> 16,
    protocol: ((info & 0xff) << 8) | ((info >>> 8) & 0xff),
    chain: u32Of(tca.get(TCA_CHAIN)),
  };
  if (kind !== 'bpf') return any;
  const bpf = attributes(options, 0, options.byteLength);
  // Classic BPF has no id.
  if (!bpf.has(TCA_BPF_ID)) return any;
  return {
    ...any,
    progId: u32Of(bpf.get(TCA_BPF_ID)),
    name: textOf(bpf.get(TCA_BPF_NAME)),
    tag: bytesOf(bpf.get(TCA_BPF_TAG)).toString('hex'),
    directAction: (u32Of(bpf.get(TCA_BPF_FLAGS)) & TCA_BPF_FLAG_ACT_DIRECT) !== 0,
  };
}

const qdisc = (
  view: DataView,
  from: number,
  to: number,
): (IngressQdisc & { ifindex: number }) | undefined => {
  const tca = attributes(view, from + TCM_BYTES, to);
  const kind = textOf(tca.get(TCA_KIND));
  if (kind !== 'clsact' && kind !== 'ingress') return undefined;
  const shared = tca.has(TCA_INGRESS_BLOCK) || tca.has(TCA_EGRESS_BLOCK);
  return { kind, shared, ifindex: view.getInt32(from + 4, true) };
};

function failed(doing: string, rc: number): never {
  const errno = errnoName(rc);
  if (errno === 'EPERM' || errno === 'EACCES')
    throw new BpfError('BPF_PERMISSION', `${doing}: ${errno}; ${explainPermission()}`, { errno });
  throw new BpfError('BPF_ATTACH', `${doing}: ${errno}`, { errno });
}

/** One dump; undefined when it was disturbed by a change, and must be asked for again. */
function dump<T>(
  socket: NetlinkSocket,
  doing: string,
  ask: Uint8Array,
  seq: number,
  wanted: number,
  parse: (view: DataView, from: number, to: number) => T | undefined,
): T[] | undefined {
  const buffer = new Uint8Array(RECEIVE_BYTES);
  const view = new DataView(buffer.buffer);
  const found: T[] = [];
  let disturbed = false;
  const sent = socket.send(ask);
  if (sent < 0) failed(doing, sent);
  for (;;) {
    const n = socket.recv(buffer);
    if (n === -11) {
      if (socket.pollIn(TIMEOUT_MS) < 1) failed(doing, -110);
      continue;
    }
    if (n < 0) failed(doing, n);
    for (let at = 0; at + HEADER_BYTES <= n; ) {
      const length = view.getUint32(at, true);
      if (length < HEADER_BYTES || at + length > n) break;
      const type = view.getUint16(at + 4, true);
      if (view.getUint16(at + 6, true) & NLM_F_DUMP_INTR) disturbed = true;
      const body = at + HEADER_BYTES;
      if (view.getUint32(at + 8, true) === seq) {
        if (type === NLMSG_DONE) return disturbed ? undefined : found;
        if (type === NLMSG_ERROR) failed(doing, view.getInt32(body, true));
        if (type === wanted && length >= HEADER_BYTES + TCM_BYTES) {
          const one = parse(view, body, at + length);
          if (one !== undefined) found.push(one);
        }
      }
      at += (length + 3) & ~3;
    }
  }
}

function checkDevice(ifindex: number): void {
  if (!Number.isInteger(ifindex) || ifindex < 1 || ifindex > 0x7fffffff)
    throw new BpfError('BPF_ARGUMENT', `ifindex is ${ifindex}, not a whole number from 1 to ${0x7fffffff}`);
}

/** A dump that is one picture; asked for again while changes disturb it. */
function list<T>(
  doing: string,
  ask: (seq: number) => Uint8Array,
  wanted: number,
  parse: (view: DataView, from: number, to: number) => T | undefined,
): T[] {
  using socket = new NetlinkSocket();
  for (let seq = 1; seq <= ATTEMPTS; seq++) {
    const found = dump(socket, doing, ask(seq), seq, wanted, parse);
    if (found) return found;
  }
  throw new BpfError('BPF_ATTACH', `${doing}: they change too often to be listed`, { errno: 'EINTR' });
}

/**
 * The filters of every kind at a device's ingress or egress (clsact; ingress alone with an ingress qdisc) in the order they run; none where
 * there is no such qdisc or device. With an ingress qdisc the kernel tells the same filters for both directions: see `ingressQdisc`. In the
 * calling thread's namespace. Throws BPF_ARGUMENT, BPF_ATTACH.
 */
export function listTcFilters(ifindex: number, direction: Direction): TcFilter[] {
  checkDevice(ifindex);
  if (!Object.hasOwn(PARENT, direction))
    throw new BpfError('BPF_ARGUMENT', `direction is ${String(direction)}, not ingress or egress`);
  return list(
    `filters of clsact ${direction} of device ${ifindex}`,
    (seq) => request(RTM_GETTFILTER, ifindex, PARENT[direction], seq),
    RTM_NEWTFILTER,
    filter,
  );
}

/**
 * The cls_bpf filters of a device's clsact qdisc in the order they run; none where there is no such qdisc or device. In the calling thread's
 * namespace. Throws BPF_ARGUMENT, BPF_ATTACH.
 */
export const listClsact = (ifindex: number, direction: Direction): ClsactFilter[] =>
  listTcFilters(ifindex, direction)
    .filter((f): f is TcFilter & ClsactFilter => f.progId !== undefined)
    .map(({ handle, priority, progId, name, tag, directAction }) => ({
      handle,
      priority,
      progId,
      name,
      tag,
      directAction,
    }));

/**
 * The clsact or ingress qdisc of a device; undefined: it has none. A device has one of the two at most. In the calling thread's namespace.
 * Throws BPF_ARGUMENT, BPF_ATTACH.
 */
export function ingressQdisc(ifindex: number): IngressQdisc | undefined {
  checkDevice(ifindex);
  const found = list(
    `qdiscs of device ${ifindex}`,
    (seq) => request(RTM_GETQDISC, ifindex, PARENT_OF_BOTH, seq),
    RTM_NEWQDISC,
    qdisc,
  ).find((q) => q.ifindex === ifindex);
  return found && { kind: found.kind, shared: found.shared };
}
