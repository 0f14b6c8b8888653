import { readFileSync } from 'node:fs';

/** Bits of include/uapi/linux/capability.h. */
const BITS = { net_admin: 12n, net_raw: 13n, sys_admin: 21n, perfmon: 38n, bpf: 39n } as const;

/** Whether the process has it in effect. CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON, which came out of it in Linux 5.8. */
export function hasCapability(name: keyof typeof BITS): boolean {
  const hex = /CapEff:\s*([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const has = (bit: bigint): boolean => ((BigInt(`0x${hex}`) >> bit) & 1n) === 1n;
  return has(BITS[name]) || ((name === 'bpf' || name === 'perfmon') && has(BITS.sys_admin));
}
