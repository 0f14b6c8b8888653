import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { native } from './binding.js';
import { AttachType, BPF_F_MMAPABLE, MapType, ProgType, XDP_FLAGS_DRV_MODE } from './constants.js';
import { errnoOf } from './errors.js';
import { PAGE_SIZE } from './map.js';

/** Three-valued: `inconclusive` when the probe could not tell (no permission, say). `detail` says why and names the kernel. */
export interface Probe {
  answer: 'supported' | 'unsupported' | 'inconclusive';
  detail: string;
}

const cache = new Map<string, Probe>();

function probe(name: string, since: string, test: () => boolean): Probe {
  const known = cache.get(name);
  if (known) return known;
  let result: Probe;
  try {
    result = test()
      ? { answer: 'supported', detail: `${name} works` }
      : {
          answer: 'unsupported',
          detail: `${name} not supported (requires kernel >= ${since}; this is ${release()})`,
        };
  } catch (e) {
    return { answer: 'inconclusive', detail: `${name}: ${(e as Error).message}` };
  }
  cache.set(name, result);
  return result;
}

/** `r0 = 0; exit`. */
const RETURN_0 = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);

const closing = (fd: number): true => {
  native.fdClose(fd);
  return true;
};

/** `*(u64 *)(r10 - 8) = 0; r0 = 0; r1 = 1; r0 = cmpxchg(r10 - 8, r0, r1); exit`, as a little-endian machine has it. */
const COMPARE_AND_SWAP = new Uint8Array([
  ...[0x7a, 0x0a, 0xf8, 0xff, 0, 0, 0, 0],
  ...[0xb7, 0x00, 0x00, 0x00, 0, 0, 0, 0],
  ...[0xb7, 0x01, 0x00, 0x00, 1, 0, 0, 0],
  ...[0xdb, 0x1a, 0xf8, 0xff, 0xf1, 0, 0, 0],
  ...[0x95, 0x00, 0x00, 0x00, 0, 0, 0, 0],
]);

/** Atomic operations that return the old value, such as compare-and-swap. */
export const haveAtomics = (): Probe =>
  probe('BPF atomics', '5.12', () => {
    try {
      return closing(native.progLoad(ProgType.sched_cls, 0, COMPARE_AND_SWAP, 'GPL', 'vf_probe'));
    } catch (e) {
      if (errnoOf(e) === 'EINVAL') return false;
      throw e;
    }
  });

/** /sys/kernel/btf/vmlinux: what CO-RE needs. */
export const haveBtf = (): Probe =>
  probe('kernel BTF', '5.2 with CONFIG_DEBUG_INFO_BTF', () => existsSync('/sys/kernel/btf/vmlinux'));

/** The kernel's BTF has a function of this name: a kfunc that programs may call. */
export const haveKfunc = (name: string, since: string): Probe =>
  probe(`kfunc ${name}`, since, () => native.kernelHasFunction(name));

/** Array maps that user space can map. */
export const haveMmapableArray = (): Probe =>
  probe('mmapable array', '5.5', () => {
    try {
      return closing(native.mapCreate(MapType.array, 'vf_probe', 4, 8, 1, BPF_F_MMAPABLE));
    } catch (e) {
      if (errnoOf(e) === 'EINVAL') return false;
      throw e;
    }
  });

export const haveRingBuffer = (): Probe =>
  probe('BPF ring buffer', '5.8', () => {
    try {
      return closing(native.mapCreate(MapType.ringbuf, 'vf_probe', 0, 0, PAGE_SIZE, 0));
    } catch (e) {
      if (errnoOf(e) === 'EINVAL') return false;
      throw e;
    }
  });

/**
 * TCX: attaches a program to a device that cannot exist. A kernel that knows TCX looks for the device (ENODEV); an older one
 * refuses the attach type (EINVAL).
 */
export const haveTcx = (): Probe =>
  probe('TCX', '6.6', () => {
    const prog = native.progLoad(ProgType.sched_cls, 0, RETURN_0, 'GPL', 'vf_probe') as number;
    try {
      return closing(native.linkCreate(prog, 0x7fffffff, AttachType.tcx_ingress, 0, 0, 0));
    } catch (e) {
      if (errnoOf(e) === 'ENODEV') return true;
      if (errnoOf(e) === 'EINVAL') return false;
      throw e;
    } finally {
      native.fdClose(prog);
    }
  });

/** What the kernel answers when it does not know the qdisc, the classifier, or traffic control at all. */
const NO_CLSACT = ['ENOENT', 'EOPNOTSUPP', 'EINVAL'];

/** clsact and cls_bpf, tried on a device without a clsact qdisc, which has none afterwards. In the calling thread's namespace. */
export const haveClsact = (ifindex: number): Probe =>
  probe('clsact with cls_bpf', '4.5', () => {
    const prog = native.progLoad(ProgType.sched_cls, 0, RETURN_0, 'GPL', 'vf_probe') as number;
    let made = false;
    try {
      made = native.clsactCreate(ifindex, true);
      native.clsactAttach(ifindex, true, prog, 1, 1, false);
      native.clsactDetach(ifindex, true, 1, 1);
      return true;
    } catch (e) {
      if (NO_CLSACT.includes(errnoOf(e) ?? '')) return false;
      throw e;
    } finally {
      if (made) native.clsactDestroy(ifindex, true);
      native.fdClose(prog);
    }
  });

/** Native XDP of a device's driver (`kind`), tried on a device that nobody uses. In the calling thread's namespace. */
export const haveNativeXdp = (ifindex: number, kind: string, since: string): Probe =>
  probe(`native XDP on ${kind}`, since, () => {
    const prog = native.progLoad(ProgType.xdp, 0, RETURN_0, 'GPL', 'vf_probe') as number;
    try {
      return closing(native.linkCreate(prog, ifindex, AttachType.xdp, XDP_FLAGS_DRV_MODE, 0, 0));
    } catch (e) {
      if (errnoOf(e) === 'EOPNOTSUPP' || errnoOf(e) === 'EINVAL') return false;
      throw e;
    } finally {
      native.fdClose(prog);
    }
  });
