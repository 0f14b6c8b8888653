import { native } from './binding.js';
import { wrap } from './errors.js';
import { adopt, Handle } from './handle.js';
import { pinFd } from './pin.js';

export interface ProgramInfo {
  id: number;
  type: number;
  name: string;
  /** Hash of the instructions: equal for equal code. */
  tag: string;
}

export interface TestRunOptions {
  /** The packet (at least 14 bytes for tc and XDP) or the program's input. */
  data?: Uint8Array;
  /** Receives the packet as the program left it; too small for that is ENOSPC. */
  dataOut?: Uint8Array;
  /** The context structure: struct __sk_buff, struct xdp_md. */
  ctx?: Uint8Array;
  /** Runs; the duration is their mean. */
  repeat?: number;
  flags?: number;
  batchSize?: number;
}

/** A loaded program by its file descriptor. */
export class Program extends Handle {
  readonly info: Readonly<ProgramInfo>;

  private constructor(fd: number) {
    const info = wrap('BPF_LOAD', 'program info', () => native.progInfo(fd) as ProgramInfo);
    super(fd, `program ${info.name}`);
    this.info = Object.freeze(info);
  }

  /** Takes over an open descriptor of a program; when it is none it throws and the descriptor stays the caller's. */
  static fromFd(fd: number): Program {
    return new Program(fd);
  }

  static fromId(id: number): Program {
    return adopt(
      wrap('BPF_LOAD', `open program ${id}`, () => native.progFdById(id) as number),
      (fd) => new Program(fd),
    );
  }

  /** BPF_PROG_TEST_RUN: runs the program on a packet of ours; `durationNs` is the mean of one run, in nanoseconds. */
  testRun(options: TestRunOptions): { retval: number; durationNs: number; dataSize: number } {
    const { data = null, dataOut = null, ctx = null, repeat = 1, flags = 0, batchSize = 0 } = options;
    return wrap('BPF_RUN', `test run of ${this.info.name}`, () =>
      native.progTestRun(this.fd, data, dataOut, ctx, repeat, flags, batchSize),
    );
  }

  pin(path: string): void {
    pinFd(this.fd, `program ${this.info.name}`, path);
  }
}
