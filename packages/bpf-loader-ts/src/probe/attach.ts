import { existsSync, readFileSync } from 'node:fs';
import { native } from '../binding.js';
import { AttachType, ProgType, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE } from '../constants.js';
import { BpfError } from '../errors.js';
import { netnsCreate, withNetns } from '../sys/netns.js';
import { wrap } from '../wrap.js';
import { returning } from './instructions.js';
import { errno, type Probe, probe, refuses, works } from './probe.js';
import { SINCE } from './versions.js';

/** A device that cannot exist, and a descriptor. */
const NO_DEVICE = 0x7fffffff;
const NO_FD = 0xffffffff;

/** What `use` finds with the smallest program of a type; false where the kernel does not know the type (EINVAL). */
function withProgram<T>(type: number, use: (fd: number) => T, attach = 0, btfId = 0): T | false {
  let fd: number;
  try {
    fd = wrap('BPF_LOAD', 'probe', () =>
      native.progLoad(type, attach, returning(0), 'GPL', 'vf_probe', btfId),
    );
  } catch (e) {
    if (errno(e) === 'EINVAL') return false;
    throw e;
  }
  try {
    return use(fd);
  } finally {
    native.fdClose(fd);
  }
}

const createLink = (program: number, target: number, attachType: number, flags = 0): number =>
  native.linkCreate(program, target, attachType, flags, 0, 0);

/** A kernel that knows the attachment looks for the device (ENODEV); another refuses the attach type (EINVAL). */
const looksForDevice = (attachType: number): boolean =>
  withProgram(ProgType.sched_cls, (prog) =>
    refuses(() => createLink(prog, NO_DEVICE, attachType), 'ENODEV', 'EINVAL'),
  );

/** TCX, tried on a device that cannot exist. */
export const haveTcx = (): Probe =>
  probe('TCX', SINCE.link.tcx, () => looksForDevice(AttachType.tcx_ingress));

/** Programs on netkit devices, tried on a device that cannot exist. */
export const haveNetkit = (): Probe =>
  probe('netkit', SINCE.link.netkit, () => looksForDevice(AttachType.netkit_primary));

/** The loopback of a namespace made for the purpose: on a device that is not there, kernels with and without say the same. */
function xdpLink(): boolean {
  const netns = netnsCreate();
  try {
    return withProgram(ProgType.xdp, (prog) =>
      withNetns(netns, () => works(() => createLink(prog, 1, AttachType.xdp, XDP_FLAGS_SKB_MODE), 'EINVAL')),
    );
  } finally {
    native.fdClose(netns);
  }
}

/** An attachment to a descriptor: EBADF from a kernel that looks for it. */
const looksForFd = (type: number, attachType: number): boolean =>
  withProgram(type, (prog) =>
    refuses(() => createLink(prog, NO_FD, attachType), 'EBADF', 'EINVAL', 'EOPNOTSUPP'),
  );

const rawTracepoint = (): boolean =>
  withProgram(ProgType.raw_tracepoint, (prog) =>
    refuses(
      () => native.rawTracepointOpen(prog, 'vf_no_such_tracepoint', 0n),
      'ENOENT',
      'EINVAL',
      'EOPNOTSUPP',
    ),
  );

/** @internal A kernel before 6.10 does not know the attribute that carries it. */
export const haveRawTracepointCookie = (): Probe =>
  probe('a cookie of a raw tracepoint', '6.10', () =>
    withProgram(ProgType.raw_tracepoint, (prog) =>
      refuses(
        () => native.rawTracepointOpen(prog, 'vf_no_such_tracepoint', 1n),
        'ENOENT',
        'E2BIG',
        'EINVAL',
        'EOPNOTSUPP',
      ),
    ),
  );

/** A function of the kernel's that only test runs call. */
const CALM_FUNCTION = 'bpf_fentry_test1';

function fentry(symbol: string): boolean | string {
  const id: number = wrap('BPF_LOAD', 'BTF of the kernel', () => native.kernelFunctionId(symbol));
  if (id === 0) {
    const why = `the kernel's BTF has no ${symbol} to try it on`;
    if (symbol === CALM_FUNCTION) throw new BpfError('BPF_LOAD', why);
    return why;
  }
  return withProgram(
    ProgType.tracing,
    (prog) => works(() => native.rawTracepointOpen(prog, null, 0n), 'ENOTSUPP', 'EINVAL'),
    AttachType.trace_fentry,
    id,
  );
}

/**
 * Programs at the entry and exit of kernel functions. One that does nothing is attached, for an instant: to `symbol`, or to a function that
 * nothing calls.
 */
export const haveFentry = (symbol?: string): Probe =>
  probe(symbol === undefined ? 'fentry' : `fentry of ${symbol}`, SINCE.fentry, () =>
    fentry(symbol ?? CALM_FUNCTION),
  );

const LINKS = {
  cgroup: () => looksForFd(ProgType.cgroup_skb, AttachType.cgroup_inet_egress),
  perf_event: () => looksForFd(ProgType.perf_event, AttachType.perf_event),
  raw_tracepoint: rawTracepoint,
  xdp: xdpLink,
} as const;

/** Kinds of links that this package makes, as bpftool names them. */
export type LinkKind = keyof typeof SINCE.link;

/** Whether programs attach by links of a kind: `haveLink('tcx')`. Throws BPF_ARGUMENT for a name that is none. */
export function haveLink(kind: LinkKind): Probe {
  if (!Object.hasOwn(SINCE.link, kind))
    throw new BpfError(
      'BPF_ARGUMENT',
      `link kind ${kind} is not known; there are ${Object.keys(SINCE.link).join(', ')}`,
    );
  if (kind === 'tcx') return haveTcx();
  if (kind === 'netkit') return haveNetkit();
  if (kind === 'tracing') return haveFentry();
  return probe(`${kind} link`, SINCE.link[kind], LINKS[kind]);
}

const EVENT_SOURCES = '/sys/bus/event_source/devices';

function haveEventSource(name: 'kprobe' | 'uprobe'): Probe {
  return probe(name, SINCE[name], () => {
    if (!existsSync(EVENT_SOURCES))
      throw new BpfError('BPF_ATTACH', `${EVENT_SOURCES} is missing: is sysfs mounted?`);
    return existsSync(`${EVENT_SOURCES}/${name}/type`);
  });
}

function kprobe(symbol: string): boolean | string {
  if (haveEventSource('kprobe').answer !== 'supported') return false;
  const type = Number(readFileSync(`${EVENT_SOURCES}/kprobe/type`, 'utf8'));
  return withProgram(ProgType.kprobe, (prog) => {
    let event: number;
    try {
      event = wrap('BPF_ATTACH', 'probe', () => native.perfOpen(type, 0n, symbol, 0n, -1));
    } catch (e) {
      if (errno(e) === 'ENOENT') return `the kernel lets nobody probe a symbol ${symbol}`;
      throw e;
    }
    try {
      return works(() => native.linkCreatePerf(prog, event, AttachType.perf_event, 0n), 'EINVAL');
    } finally {
      native.fdClose(event);
    }
  });
}

/** Probes at kernel symbols by perf events; with `symbol`, one that does nothing is attached to that for an instant (Linux 5.15). */
export const haveKprobe = (symbol?: string): Probe =>
  symbol === undefined
    ? haveEventSource('kprobe')
    : probe(`kprobe of ${symbol}`, SINCE.kprobe, () => kprobe(symbol));
/** Probes in programs and libraries by perf events. */
export const haveUprobe = (): Probe => haveEventSource('uprobe');

/** Programs at tracepoints by number, as tracefs gives it; `attachTracepoint` mounts that for itself where it is not. */
export const haveTracepoints = (): Probe =>
  probe('tracepoints', SINCE.tracepoints, () => {
    if (existsSync('/sys/kernel/tracing/events') || existsSync('/sys/kernel/debug/tracing/events'))
      return true;
    try {
      return native.tracefsRead('events/header_event') !== undefined;
    } catch (e) {
      if (errno(e) === 'ENODEV') return false;
      throw e;
    }
  });

/** What the kernel answers when it does not know the qdisc, the classifier, or traffic control at all. */
const NO_CLSACT = ['ENOENT', 'EOPNOTSUPP', 'EINVAL'];

/** clsact and cls_bpf, tried on a device without a clsact qdisc, which has none afterwards. In the calling thread's namespace. */
export const haveClsact = (ifindex: number): Probe =>
  probe('clsact with cls_bpf', SINCE.clsact, () =>
    withProgram(ProgType.sched_cls, (prog) => {
      let made = false;
      try {
        made = native.clsactCreate(ifindex, true);
        native.clsactAttach(ifindex, true, prog, 1, 1, false);
        native.clsactDetach(ifindex, true, 1, 1);
        return true;
      } catch (e) {
        if (NO_CLSACT.includes(errno(e) ?? '')) return false;
        throw e;
      } finally {
        if (made) native.clsactDestroy(ifindex, true);
      }
    }),
  );

/** Native XDP of a device's driver (`kind`), tried on a device that nobody uses. In the calling thread's namespace. */
export const haveNativeXdp = (ifindex: number, kind: string, since: string): Probe =>
  probe(`native XDP on ${kind}`, since, () =>
    withProgram(ProgType.xdp, (prog) =>
      works(() => createLink(prog, ifindex, AttachType.xdp, XDP_FLAGS_DRV_MODE), 'EOPNOTSUPP', 'EINVAL'),
    ),
  );
