import { existsSync } from 'node:fs';
import { native } from '../binding.js';
import { BPF_F_MMAPABLE, BPF_F_TEST_XDP_LIVE_FRAMES, MapType, ProgType } from '../constants.js';
import { BpfError } from '../errors.js';
import { PAGE_SIZE } from '../map/map.js';
import { errnoName } from '../sys/fd.js';
import { wrap } from '../wrap.js';
import { EXIT, instruction, move, program, returning } from './instructions.js';
import { type Probe, probe, works } from './probe.js';
import { SINCE } from './versions.js';

/** Any type will do; this one is there from 4.1 on. */
const loads = (instructions: Uint8Array): boolean =>
  works(() => native.progLoad(ProgType.sched_cls, 0, instructions, 'GPL', 'vf_probe'), 'EINVAL', 'E2BIG');

/** Atomic operations that return the old value, such as compare-and-swap. */
export const haveAtomics = (): Probe =>
  probe('BPF atomics', SINCE.atomics, () =>
    // *(u64 *)(r10 - 8) = 0; r0 = 0; r1 = 1; r0 = cmpxchg(r10 - 8, r0, r1)
    loads(
      program(instruction(0x7a, 10, 0, -8), move(0, 0), move(1, 1), instruction(0xdb, 10, 1, -8, 0xf1), EXIT),
    ),
  );

/** Loops that the verifier can see the end of. */
export const haveBoundedLoops = (): Probe =>
  probe('bounded loops', SINCE.boundedLoops, () =>
    // r0 = 0; do r0 += 1; while (r0 < 10), with the comparison that every instruction set has: 10 > r0
    loads(program(move(0, 0), move(1, 10), instruction(0x07, 0, 0, 0, 1), instruction(0x2d, 1, 0, -2), EXIT)),
  );

/** Programs of more than 4096 instructions, up to a million. CAP_BPF. */
export const haveLargePrograms = (): Probe =>
  probe('programs of more than 4096 instructions', SINCE.largePrograms, () =>
    loads(program(...Array.from({ length: 4096 }, () => move(0, 0)), EXIT)),
  );

const INSTRUCTION_SETS = {
  v1: returning(0),
  /** r0 = 0; if (r0 < 1) goto +0 */
  v2: program(move(0, 0), instruction(0xa5, 0, 0, 0, 1), EXIT),
  /** r0 = 0; if (w0 == 1) goto +0 */
  v3: program(move(0, 0), instruction(0x16, 0, 0, 0, 1), EXIT),
  /** r0 = 0; r0 = (s8)r0 */
  v4: program(move(0, 0), instruction(0xbf, 0, 0, 8), EXIT),
};

/** What `clang -mcpu=v3` may be told. */
export function haveInstructionSet(version: keyof typeof INSTRUCTION_SETS): Probe {
  if (!Object.hasOwn(INSTRUCTION_SETS, version))
    throw new BpfError('BPF_ARGUMENT', `instruction set ${version} is not known; there are v1, v2, v3, v4`);
  return probe(`instruction set ${version}`, SINCE.instructionSet[version], () =>
    loads(INSTRUCTION_SETS[version]),
  );
}

/** /sys/kernel/btf/vmlinux: what CO-RE needs. */
export const haveBtf = (): Probe =>
  probe('kernel BTF', SINCE.btf, () => existsSync('/sys/kernel/btf/vmlinux'));

/** The kernel's BTF has a function of this name: a kfunc that programs may call. */
export const haveKfunc = (name: string, since: string): Probe =>
  probe(
    `kfunc ${name}`,
    since,
    () => wrap('BPF_LOAD', 'BTF of the kernel', () => native.kernelFunctionId(name)) > 0,
  );

/** Array maps that user space can map. */
export const haveMmapableArray = (): Probe =>
  probe('mmapable array', SINCE.mmapableArray, () =>
    works(() => native.mapCreate(MapType.array, 'vf_probe', 4, 8, 1, BPF_F_MMAPABLE), 'EINVAL'),
  );

/** Ring buffers that programs write and user space maps. */
export const haveRingBuffer = (): Probe =>
  probe('BPF ring buffer', SINCE.ringBuffer, () =>
    works(() => native.mapCreate(MapType.ringbuf, 'vf_probe', 0, 0, PAGE_SIZE, 0), 'EINVAL'),
  );

/** EBADF from a kernel that knows the command and looks for the descriptor, EINVAL from one that does not. */
function haveCommand(command: number, fdOffset: number, size: number): boolean {
  const errno = errnoName(native.bpfCommand(command, fdOffset, size) as number);
  if (errno === 'EBADF') return true;
  if (errno === 'EINVAL') return false;
  throw new BpfError('BPF_LOAD', `no answer: ${errno}`, { errno });
}

const BPF_MAP_LOOKUP_BATCH = 24;

/** Many elements of a map in one system call. */
export const haveBatch = (): Probe =>
  probe('map batch operations', SINCE.batch, () => haveCommand(BPF_MAP_LOOKUP_BATCH, 36, 56));

/** Run times and counts of programs: `enableStats()`. */
export const haveStats = (): Probe =>
  probe('BPF statistics', SINCE.stats, () => works(() => native.statsEnable(), 'EINVAL'));

/** Test runs of XDP that send what they are given. One frame is dropped for it. */
export const haveLiveFrames = (): Probe =>
  probe('live frames', SINCE.liveFrames, () => {
    const XDP_DROP = 1;
    const prog = native.progLoad(ProgType.xdp, 0, returning(XDP_DROP), 'GPL', 'vf_probe') as number;
    try {
      const frame = new Uint8Array(14);
      native.progTestRun(prog, frame, null, null, 1, BPF_F_TEST_XDP_LIVE_FRAMES, 0, null, 0);
      return true;
    } catch (e) {
      if ((e as { code?: string }).code === 'EINVAL') return false;
      throw e;
    } finally {
      native.fdClose(prog);
    }
  });
