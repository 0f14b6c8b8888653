import type { NativeError } from './binding.js';

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
} as const;

export type BpfErrorCode = keyof typeof BPF_ERROR_CODES;

/** What the loader throws. `errno` is the kernel's error name; `log` the verifier's or libbpf's words. */
export class BpfError extends Error {
  readonly code: BpfErrorCode;
  readonly errno: string | undefined;
  readonly log: string | undefined;

  constructor(code: BpfErrorCode, message: string, detail: { errno?: string; log?: string; cause?: unknown } = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'BpfError';
    this.code = code;
    this.errno = detail.errno;
    this.log = detail.log;
  }
}

const isNative = (e: unknown): e is NativeError => e instanceof Error && 'syscall' in e && 'errno' in e;

/** The errno name of an error that the addon threw, else undefined. */
export const errnoOf = (e: unknown): string | undefined => (isNative(e) ? e.code : undefined);

/**
 * The line of a verifier log that says why: the last one that is neither state, nor an instruction, nor statistics. libbpf's own
 * remarks come before it.
 */
export function summarizeLog(log: string): string | undefined {
  const lines = log.split('\n').map((l) => l.trim());
  const noise =
    /^(\d+: |R\d+|from \d+|;|processed \d|max_states|peak_states|mark_|verification time|stack depth|libbpf: |--|$|func#|last_idx|regs=|parent )/;
  return lines.filter((l) => !noise.test(l)).at(-1) ?? lines.filter((l) => l.startsWith('libbpf: ')).at(-1);
}

/** Runs `fn`, turning what the addon throws into a BpfError of this code that says what was being done. */
export function wrap<T>(code: BpfErrorCode, doing: string, fn: () => T): T {
  try {
    return fn();
  } catch (e) {
    if (!isNative(e)) throw e;
    const log = e.log && e.log.length > 0 ? e.log : undefined;
    const detail = { errno: e.code, cause: e, ...(log !== undefined && { log }) };
    if (e.code === 'EPERM' || e.code === 'EACCES') {
      const refused = log !== undefined && /processed \d+ insns|BEGIN PROG LOAD LOG/.test(log);
      if (!refused) throw new BpfError('BPF_PERMISSION', `${doing}: ${e.message}; it needs CAP_BPF and CAP_NET_ADMIN`, detail);
    }
    const why = log === undefined ? undefined : summarizeLog(log);
    throw new BpfError(
      code === 'BPF_LOAD' && log !== undefined && /processed \d+ insns|BEGIN PROG LOAD LOG/.test(log) ? 'BPF_VERIFIER' : code,
      `${doing}: ${why ?? e.message}`,
      detail,
    );
  }
}
