import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { native } from './binding.js';
import { AttachType, MapType, ProgType } from './constants.js';
import { errnoOf } from './errors.js';

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
      : { answer: 'unsupported', detail: `${name} not supported (requires kernel >= ${since}; this is ${release()})` };
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

/** /sys/kernel/btf/vmlinux: what CO-RE needs. */
export const haveBtf = (): Probe => probe('kernel BTF', '5.2 with CONFIG_DEBUG_INFO_BTF', () => existsSync('/sys/kernel/btf/vmlinux'));

/** The kernel's BTF has a function of this name: a kfunc that programs may call. */
export const haveKfunc = (name: string, since: string): Probe =>
  probe(`kfunc ${name}`, since, () => native.kernelHasFunction(name));

/** Array maps that user space can map. */
export const haveMmapableArray = (): Probe =>
  probe('mmapable array', '5.5', () => {
    try {
      return closing(native.mapCreate(MapType.array, 'vf_probe', 4, 8, 1, 1 << 10));
    } catch (e) {
      if (errnoOf(e) === 'EINVAL') return false;
      throw e;
    }
  });

export const haveRingBuffer = (): Probe =>
  probe('BPF ring buffer', '5.8', () => {
    try {
      return closing(native.mapCreate(MapType.ringbuf, 'vf_probe', 0, 0, 4096, 0));
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
    const prog = native.progLoad(ProgType.schedCls, 0, RETURN_0, 'GPL', 'vf_probe') as number;
    try {
      return closing(native.linkCreate(prog, 0x7fffffff, AttachType.tcxIngress, 0, 0, 0));
    } catch (e) {
      if (errnoOf(e) === 'ENODEV') return true;
      if (errnoOf(e) === 'EINVAL') return false;
      throw e;
    } finally {
      native.fdClose(prog);
    }
  });
