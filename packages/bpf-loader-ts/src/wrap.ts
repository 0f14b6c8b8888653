import { BpfError, type BpfErrorCode, summarizeLog } from './errors.js';
import { explainPermission } from './kernel/permission.js';
import { deliver } from './libbpf/heard.js';

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

const isVerifierLog = (log: string | undefined): boolean =>
  log !== undefined && /processed \d+ insns|BEGIN PROG LOAD LOG/.test(log);

/** What util.c throws for an argument of a wrong type or range. */
const BAD_ARGUMENT = new Set(['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', 'ERR_MISSING_ARGS']);

/** The program that a message of libbpf's is about. */
const programOf = (log: string | undefined): string | undefined =>
  log?.match(/^libbpf: prog '([^']+)': /m)?.[1];

/** What the addon threw as a BpfError of this code that says what was being done; any other error as it is. */
export function toBpfError(code: BpfErrorCode, doing: string, e: unknown): unknown {
  if (e instanceof Error && BAD_ARGUMENT.has((e as Error & { code?: string }).code ?? ''))
    return new BpfError('BPF_ARGUMENT', `${doing}: ${e.message}`, { cause: e });
  if (!isNative(e)) return e;
  const log = e.log && e.log.length > 0 ? e.log : undefined;
  const detail = { errno: e.code, cause: e, ...(log !== undefined && { log }) };
  const verifier = code === 'BPF_LOAD' && isVerifierLog(log);
  const program = code === 'BPF_LOAD' ? programOf(log) : undefined;
  const what = program === undefined ? doing : `${doing}: program ${program}`;
  if ((e.code === 'EPERM' || e.code === 'EACCES') && !verifier)
    return new BpfError('BPF_PERMISSION', `${what}: ${e.message}; ${explainPermission()}`, detail);
  const why = log === undefined ? undefined : summarizeLog(log);
  return new BpfError(verifier ? 'BPF_VERIFIER' : code, `${what}: ${why ?? e.message}`, detail);
}

/** Runs `fn`, turning what the addon throws into a BpfError of this code that says what was being done. */
export function wrap<T>(code: BpfErrorCode, doing: string, fn: () => T): T {
  try {
    return fn();
  } catch (e) {
    throw toBpfError(code, doing, e);
  } finally {
    deliver();
  }
}
