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

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;
const TCM_BYTES = 20;
const HEADER_BYTES = 16;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) and …EGRESS */
const PARENT: Record<Direction, number> = { ingress: 0xfffffff2, egress: 0xfffffff3 };
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_TAG = 10;
const TCA_BPF_ID = 11;
const TCA_BPF_FLAG_ACT_DIRECT = 1;

const ATTEMPTS = 5;
const TIMEOUT_MS = 5000;
/** The kernel fills one datagram of a dump up to 32 KiB. */
const RECEIVE_BYTES = 65536;

function request(ifindex: number, direction: Direction, seq: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + TCM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, RTM_GETTFILTER, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  view.setUint32(8, seq, true);
  // struct tcmsg: family, ifindex, handle, parent, info
  view.setInt32(HEADER_BYTES + 4, ifindex, true);
  view.setUint32(HEADER_BYTES + 12, PARENT[direction], true);
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

/** The filter that an RTM_NEWTFILTER message tells of; undefined for other classifiers, and for the head of a priority's list. */
function filter(view: DataView, from: number, to: number): ClsactFilter | undefined {
  const tca = attributes(view, from + TCM_BYTES, to);
  const options = tca.get(TCA_OPTIONS);
  const handle = view.getUint32(from + 8, true);
  if (textOf(tca.get(TCA_KIND)) !== 'bpf' || !options || handle === 0) return undefined;
  const bpf = attributes(options, 0, options.byteLength);
  // Classic BPF has no id.
  if (!bpf.has(TCA_BPF_ID)) return undefined;
  return {
    handle,
    priority: view.getUint32(from + 16, true) >>> 16,
    progId: u32Of(bpf.get(TCA_BPF_ID)),
    name: textOf(bpf.get(TCA_BPF_NAME)),
    tag: bytesOf(bpf.get(TCA_BPF_TAG)).toString('hex'),
    directAction: (u32Of(bpf.get(TCA_BPF_FLAGS)) & TCA_BPF_FLAG_ACT_DIRECT) !== 0,
  };
}

function failed(doing: string, rc: number): never {
  const errno = errnoName(rc);
  if (errno === 'EPERM' || errno === 'EACCES')
    throw new BpfError('BPF_PERMISSION', `${doing}: ${errno}; ${explainPermission()}`, { errno });
  throw new BpfError('BPF_ATTACH', `${doing}: ${errno}`, { errno });
}

/** One dump; undefined when it was disturbed by a change, and must be asked for again. */
function dump(
  socket: NetlinkSocket,
  doing: string,
  ask: Uint8Array,
  seq: number,
): ClsactFilter[] | undefined {
  const buffer = new Uint8Array(RECEIVE_BYTES);
  const view = new DataView(buffer.buffer);
  const filters: ClsactFilter[] = [];
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
        if (type === NLMSG_DONE) return disturbed ? undefined : filters;
        if (type === NLMSG_ERROR) failed(doing, view.getInt32(body, true));
        if (type === RTM_NEWTFILTER && length >= HEADER_BYTES + TCM_BYTES) {
          const one = filter(view, body, at + length);
          if (one) filters.push(one);
        }
      }
      at += (length + 3) & ~3;
    }
  }
}

/**
 * The cls_bpf filters of a device's clsact qdisc in the order they run; none where there is no such qdisc or device. In the calling thread's
 * namespace. Throws BPF_ARGUMENT, BPF_ATTACH.
 */
export function listClsact(ifindex: number, direction: Direction): ClsactFilter[] {
  if (!Number.isInteger(ifindex) || ifindex < 1 || ifindex > 0x7fffffff)
    throw new BpfError('BPF_ARGUMENT', `ifindex is ${ifindex}, not a whole number from 1 to ${0x7fffffff}`);
  if (!Object.hasOwn(PARENT, direction))
    throw new BpfError('BPF_ARGUMENT', `direction is ${String(direction)}, not ingress or egress`);
  const doing = `filters of clsact ${direction} of device ${ifindex}`;
  using socket = new NetlinkSocket();
  for (let seq = 1; seq <= ATTEMPTS; seq++) {
    const filters = dump(socket, doing, request(ifindex, direction, seq), seq);
    if (filters) return filters;
  }
  throw new BpfError('BPF_ATTACH', `${doing}: they change too often to be listed`, { errno: 'EINTR' });
}
