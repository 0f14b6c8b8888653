/** Every code a `BpfError` can carry. */
export const BPF_ERROR_CODES = {
  BPF_OPEN: 'the object file is not one that libbpf can open',
  BPF_VERIFIER: 'the verifier refused a program; `log` holds all it said',
  BPF_LOAD: 'the kernel refused a program or a map',
  BPF_ATTACH: 'a program cannot be attached, replaced or detached',
  BPF_MAP: 'a map operation failed',
  BPF_READONLY: 'a store to a frozen or read-only map or mapping',
  BPF_PIN: 'pinning or opening a pin failed',
  BPF_RUN: 'a test run failed',
  BPF_PERMISSION: 'the process may not do this: it needs CAP_BPF and CAP_NET_ADMIN',
  BPF_UNSUPPORTED: 'the running kernel does not have this',
  BPF_CLOSED: 'the handle is closed',
  BPF_ARGUMENT: 'an argument is of the wrong size, type or name',
  BPF_ADDON: 'the addon is not there for this platform, or cannot be loaded; thrown by the import',
} as const;

/** The code of a `BpfError`: a key of BPF_ERROR_CODES. */
export type BpfErrorCode = keyof typeof BPF_ERROR_CODES;

/**
 * What the loader throws. `errno` is the kernel's error name; `log` the verifier's or libbpf's words; `count` how many elements of a batch
 * were done before the error.
 */
export class BpfError extends Error {
  /** What went wrong, for programs. */
  readonly code: BpfErrorCode;
  /** The kernel's error name, `EEXIST`, where the kernel refused. */
  readonly errno: string | undefined;
  /** All that the verifier or libbpf said. */
  readonly log: string | undefined;
  /** Elements of a batch that were done before the error. */
  readonly count: number | undefined;

  constructor(
    code: BpfErrorCode,
    message: string,
    detail: { errno?: string; log?: string; cause?: unknown; count?: number } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'BpfError';
    this.code = code;
    this.errno = detail.errno;
    this.log = detail.log;
    this.count = detail.count;
  }
}

const NOISE =
  /^(\d+: |R\d+(_[a-z]+)?=|from \d+ to |;|processed \d|max_states|peak_states|mark_|verification time|stack depth|libbpf: |--|$|func#|last_idx|regs=|parent |propagating |frame\d|(cur|old) state: |\[…)/;

/**
 * The lines of a verifier log that say why, as one: the last that are neither state, nor an instruction, nor statistics, two at most
 * (what was refused, then the bound that it broke). Without any, libbpf's last remark. Linux 7 explains itself at length below these lines,
 * under a heading; the heading is taken where the lines have been cut off.
 */
export function summarizeLog(log: string): string | undefined {
  const all = log.split('\n').map((l) => l.trim());
  const heading = all.findIndex((l) => l.startsWith('Verification failed: '));
  const lines = heading < 0 ? all : all.slice(0, heading);
  const last = lines.findLastIndex((l) => !NOISE.test(l));
  if (last < 0) return heading < 0 ? lines.findLast((l) => l.startsWith('libbpf: ')) : all[heading];
  const before = lines[last - 1];
  return before !== undefined && !NOISE.test(before) ? `${before}; ${lines[last]}` : lines[last];
}
