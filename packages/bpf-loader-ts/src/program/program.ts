import { native } from '../binding.js';
import { progTypeName } from '../constants.js';
import { BpfError } from '../errors.js';
import { adopt, Handle } from '../handle.js';
import { kernelIds } from '../kernel/ids.js';
import { openPin, pinFd } from '../kernel/pin.js';
import { wrap } from '../wrap.js';

/** What the kernel tells of a program. */
export interface ProgramInfo {
  id: number;
  /** ProgType. */
  type: number;
  /** `xdp`, `sched_cls` …, as bpftool prints it. */
  typeName: string;
  name: string;
  /** Hash of the instructions: equal for equal code. */
  tag: string;
  /** When it was loaded, in nanoseconds since boot (CLOCK_BOOTTIME). */
  loadTimeNs: number;
  /** User id that loaded it. */
  uid: number;
  /** Bytes of instructions after the verifier rewrote them. */
  xlatedBytes: number;
  /** Bytes of machine code; 0 when it is interpreted. */
  jitedBytes: number;
  mapIds: readonly number[];
  /** Id of its BTF object; 0 for none. */
  btfId: number;
  /** Instructions that the verifier went through (Linux 5.16; 0 before). */
  verifiedInstructions: number;
  gplCompatible: boolean;
}

/** What a program did while statistics were kept (`enableStats`). */
export interface ProgramStats {
  /** Nanoseconds, all runs together. */
  runTimeNs: number;
  runCount: number;
  /** Runs left out since the program was running already (Linux 5.12). */
  recursionMisses: number;
}

/** Input of a test run. */
export interface TestRunOptions {
  /** The packet (at least 14 bytes for tc and XDP) or the program's input. */
  data?: Uint8Array;
  /** Receives the packet as the program left it; too small for that is ENOSPC. */
  dataOut?: Uint8Array;
  /** The context structure: struct __sk_buff, struct xdp_md. Programs of type `syscall` write into it. */
  ctx?: Uint8Array;
  /** Receives the context as the program left it (tc, XDP, …; not `syscall`). */
  ctxOut?: Uint8Array;
  /** Runs, 1 by default; the duration is their mean. With live frames: how many frames. Not for `syscall` and raw tracepoints. */
  repeat?: number;
  flags?: number;
  /** Live frames that go out together, 64 by default; at most 256. */
  batchSize?: number;
  /** CPU to run on, for raw tracepoints (Linux 5.10). */
  cpu?: number;
}

/** What a test run came to. */
export interface TestRunResult {
  /** What the program returned; 0 with live frames, which are sent where it said. */
  retval: number;
  /** Mean of one run, in nanoseconds. */
  durationNs: number;
  /** Bytes of the packet as the program left it; of the context. */
  dataSize: number;
  ctxSize: number;
}

const BPF_F_TEST_RUN_ON_CPU = 1 << 0;

function checkCpu(cpu: number): void {
  if (!Number.isInteger(cpu) || cpu < 0)
    throw new BpfError('BPF_ARGUMENT', `cpu is ${cpu}, not a CPU's number from 0 on`);
}

/** A loaded program by its file descriptor. */
export class Program extends Handle {
  readonly info: Readonly<ProgramInfo>;
  /**
   * AttachType that it was loaded for; undefined unless it came from a BpfObject, since the kernel does not tell. Links compare it, and
   * for many types 0 stands for "any".
   */
  readonly expectedAttachType: number | undefined;

  private constructor(fd: number, expectedAttachType?: number) {
    const info = wrap('BPF_LOAD', 'program info', () => native.progInfo(fd) as Omit<ProgramInfo, 'typeName'>);
    super(fd, `program ${info.name}`);
    this.info = Object.freeze({
      ...info,
      typeName: progTypeName(info.type),
      mapIds: Object.freeze(info.mapIds),
    });
    this.expectedAttachType = expectedAttachType;
  }

  /** Takes over an open descriptor of a program; when it is none it throws and the descriptor stays the caller's. */
  static fromFd(fd: number, expectedAttachType?: number): Program {
    return new Program(fd, expectedAttachType);
  }

  /** Opens a program of the kernel's by its id (Linux 4.13; CAP_SYS_ADMIN). */
  static fromId(id: number): Program {
    return adopt(
      wrap('BPF_LOAD', `open program ${id}`, () => native.progFdById(id) as number),
      (fd) => new Program(fd),
    );
  }

  /** Opens a pinned program. */
  static fromPin(path: string): Program {
    return adopt(openPin('program', path), (fd) => new Program(fd));
  }

  /** The ids of all programs in the kernel, ascending (Linux 4.13; CAP_SYS_ADMIN). */
  static ids(): Generator<number> {
    return kernelIds('programs', native.progNextId);
  }

  /** When it was loaded, to the millisecond, by the machine's present clock. */
  get loadedAt(): Date {
    return new Date(Date.now() - (native.boottimeNs() - this.info.loadTimeNs) / 1e6);
  }

  /** Read anew each time. All 0 unless statistics are kept: `enableStats()`, or the sysctl kernel.bpf_stats_enabled (Linux 5.1). */
  stats(): ProgramStats {
    return wrap('BPF_LOAD', `statistics of ${this.info.name}`, () => native.progStats(this.fd));
  }

  /**
   * BPF_PROG_TEST_RUN: runs the program on a packet or context of ours (Linux 4.12; live frames 5.18). Throws BPF_RUN: ENOTSUPP for other types.
   * More than one run has a thread of its own: what interrupts the caller's, signals and io_uring's work, does not interrupt the runs.
   */
  testRun(options: TestRunOptions = {}): TestRunResult {
    const {
      data = null,
      dataOut = null,
      ctx = null,
      ctxOut = null,
      repeat = 0,
      batchSize = 0,
      cpu,
    } = options;
    if (cpu !== undefined) checkCpu(cpu);
    const { flags: given = 0 } = options;
    const flags = cpu === undefined || given & BPF_F_TEST_RUN_ON_CPU ? given : given + BPF_F_TEST_RUN_ON_CPU;
    return wrap('BPF_RUN', `test run of ${this.info.name}`, () =>
      native.progTestRun(this.fd, data, dataOut, ctx, repeat, flags, batchSize, ctxOut, cpu ?? 0),
    );
  }

  /** Pins the program (Linux 4.4). Throws BPF_PIN (EEXIST). */
  pin(path: string): void {
    pinFd(this.fd, `program ${this.info.name}`, path);
  }
}
