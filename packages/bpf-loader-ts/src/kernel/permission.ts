import { readFileSync } from 'node:fs';
import { memlockLimit } from '../sys/thread.js';
import { memoryAccounting } from './accounting.js';

/** include/uapi/linux/capability.h. CAP_SYS_ADMIN stands for all the others; before Linux 5.8 there was only that one. */
const SYS_ADMIN = 21n;
const WANTED = { CAP_BPF: 39n, CAP_PERFMON: 38n, CAP_NET_ADMIN: 12n };

const NEEDS = 'it needs CAP_BPF and CAP_NET_ADMIN, for tracing CAP_PERFMON';

const RAISE = 'raise it (raiseMemlock(), `ulimit -l unlimited`, LimitMEMLOCK=infinity)';

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

function missing(): string[] | undefined {
  const hex = read('/proc/thread-self/status')?.match(/^CapEff:\s*([0-9a-f]+)/m)?.[1];
  if (hex === undefined) return undefined;
  const effective = BigInt(`0x${hex}`);
  const has = (bit: bigint): boolean => ((effective >> bit) & 1n) === 1n;
  if (has(SYS_ADMIN)) return [];
  return Object.keys(WANTED).filter((name) => !has(WANTED[name as keyof typeof WANTED]));
}

/** The one line of the first user namespace: all ids, as they are. */
const inFirstUserNamespace = (): boolean =>
  /^\s*0\s+0\s+4294967295\s*$/.test(read('/proc/self/uid_map') ?? '0 0 4294967295');

/** Why the kernel may have answered EPERM or EACCES to this process, and what would help. */
export function explainPermission(): string {
  const lacks = missing();
  if (lacks === undefined) return NEEDS;
  if (lacks.length > 0) return `${NEEDS}; the process lacks ${lacks.join(', ')}`;
  if (!inFirstUserNamespace())
    return `${NEEDS}; the process has its capabilities in a user namespace only, where they do not count`;
  const accounting = memoryAccounting();
  const { soft } = memlockLimit();
  if (accounting === 'rlimit')
    return `the process has the capabilities, but this kernel charges maps to RLIMIT_MEMLOCK, which is ${soft} bytes: ${RAISE}`;
  const modules = read('/sys/kernel/security/lsm')?.trim();
  const active = modules ? ` (active: ${modules})` : '';
  const used = accounting === undefined ? `, or RLIMIT_MEMLOCK of ${soft} bytes is used up: ${RAISE}` : '';
  return `the process has the capabilities it needs: a security module or lockdown refuses it${active}${used}`;
}
