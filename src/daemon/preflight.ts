import { haveAtomics, haveBtf, haveMmapableArray, haveRingBuffer, type Probe } from 'bpf-loader-ts';
import { hasCapability } from '../datapath/capabilities.js';
import { VfError } from '../errors.js';

/** What the daemon cannot do without. Asked before anything is touched. */
export interface Needs {
  capabilities: { bpf: boolean; net_admin: boolean; net_raw: boolean };
  btf: Probe;
  kernel: Probe[];
}

const found = (): Needs => ({
  capabilities: {
    bpf: hasCapability('bpf'),
    net_admin: hasCapability('net_admin'),
    net_raw: hasCapability('net_raw'),
  },
  btf: haveBtf(),
  kernel: [haveMmapableArray(), haveRingBuffer(), haveAtomics()],
});

/**
 * @throws VfError CAPABILITY_MISSING, BTF_ABSENT or KERNEL_UNSUPPORTED, the first of them that applies. A probe that could not tell is no
 *   refusal: the operation itself will say.
 */
export function preflight(needs: Needs = found()): void {
  const missing = Object.entries(needs.capabilities)
    .filter(([, has]) => !has)
    .map(([name]) => `CAP_${name.toUpperCase()}`);
  if (missing.length > 0)
    throw new VfError('CAPABILITY_MISSING', `the daemon lacks ${missing.join(', ')}`, {
      field: 'capabilities',
      value: missing,
      fix: 'run as root, or with CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW and (for tier 0 on carrier) CAP_PERFMON',
    });
  if (needs.btf.answer === 'unsupported')
    throw new VfError('BTF_ABSENT', needs.btf.detail, {
      field: '/sys/kernel/btf/vmlinux',
      fix: "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as the distributions' are",
    });
  for (const probe of needs.kernel)
    if (probe.answer === 'unsupported')
      throw new VfError('KERNEL_UNSUPPORTED', probe.detail, {
        field: 'kernel',
        fix: 'use Linux 5.12 or later',
      });
}
