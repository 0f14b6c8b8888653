/** Every code a `BpfError` can carry. */
export const BPF_ERROR_CODES = {
  BPF_OPEN: 'the object file is not one that libbpf can open',
  BPF_VERIFIER: 'the verifier refused a program; `log` holds all it said',
  BPF_LOAD: 'the kernel refused a program or a map',
  BPF_ATTACH: 'a program cannot be attached, replaced or detached',
  BPF_MAP: 'a map operation failed',
  BPF_PIN: 'pinning or opening a pin failed',
  BPF_RUN: 'a test run failed',
  BPF_PERMISSION: 'the process may not do this: it needs CAP_BPF and CAP_NET_ADMIN',
  BPF_UNSUPPORTED: 'the running kernel does not have this',
  BPF_CLOSED: 'the handle is closed',
  BPF_ARGUMENT: 'an argument is of the wrong size, type or name',
  BPF_ADDON: 'the addon is not there for this platform, or cannot be loaded; thrown by the import',
} as const;

export type BpfErrorCode = keyof typeof BPF_ERROR_CODES;

/** What the loader throws. `errno` is the kernel's error name; `log` the verifier's or libbpf's words. */
export class BpfError extends Error {
  readonly code: BpfErrorCode;
  readonly errno: string | undefined;
  readonly log: string | undefined;

  constructor(
    code: BpfErrorCode,
    message: string,
    detail: { errno?: string; log?: string; cause?: unknown } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'BpfError';
    this.code = code;
    this.errno = detail.errno;
    this.log = detail.log;
  }
}

/** An error thrown by the addon: a failed system call. `log` holds the verifier's words where there are any. */
interface NativeError extends Error {
  code: string;
  errno: number;
  syscall: string;
  log?: string;
}

const isNative = (e: unknown): e is NativeError => e instanceof Error && 'syscall' in e && 'errno' in e;

/** The errno name of an error that the addon threw, else undefined. */
export const errnoOf = (e: unknown): string | undefined => (isNative(e) ? e.code : undefined);

const NOISE =
  /^(\d+: |R\d+(_[a-z]+)?=|from \d+ to |;|processed \d|max_states|peak_states|mark_|verification time|stack depth|libbpf: |--|$|func#|last_idx|regs=|parent |propagating |frame\d)/;

/**
 * The lines of a verifier log that say why, as one: the last that are neither state, nor an instruction, nor statistics, two at most
 * (what was refused, then the bound that it broke). Without any, libbpf's last remark.
 */
export function summarizeLog(log: string): string | undefined {
  const lines = log.split('\n').map((l) => l.trim());
  const last = lines.findLastIndex((l) => !NOISE.test(l));
  if (last < 0) return lines.findLast((l) => l.startsWith('libbpf: '));
  const before = lines[last - 1];
  return before !== undefined && !NOISE.test(before) ? `${before}; ${lines[last]}` : lines[last];
}

const isVerifierLog = (log: string | undefined): boolean =>
  log !== undefined && /processed \d+ insns|BEGIN PROG LOAD LOG/.test(log);

/** What util.c throws for an argument of a wrong type or range. */
const BAD_ARGUMENT = new Set(['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', 'ERR_MISSING_ARGS']);

/** Runs `fn`, turning what the addon throws into a BpfError of this code that says what was being done. */
export function wrap<T>(code: BpfErrorCode, doing: string, fn: () => T): T {
  try {
    return fn();
  } catch (e) {
    if (e instanceof Error && BAD_ARGUMENT.has((e as Error & { code?: string }).code ?? ''))
      throw new BpfError('BPF_ARGUMENT', `${doing}: ${e.message}`, { cause: e });
    if (!isNative(e)) throw e;
    const log = e.log && e.log.length > 0 ? e.log : undefined;
    const detail = { errno: e.code, cause: e, ...(log !== undefined && { log }) };
    const verifier = code === 'BPF_LOAD' && isVerifierLog(log);
    if ((e.code === 'EPERM' || e.code === 'EACCES') && !verifier)
      throw new BpfError(
        'BPF_PERMISSION',
        `${doing}: ${e.message}; it needs CAP_BPF and CAP_NET_ADMIN`,
        detail,
      );
    const why = log === undefined ? undefined : summarizeLog(log);
    throw new BpfError(verifier ? 'BPF_VERIFIER' : code, `${doing}: ${why ?? e.message}`, detail);
  }
}
