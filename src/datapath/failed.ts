import { BpfError } from 'bpf-loader-ts';
import { VfError } from '../errors.js';

/** Turns what the loader throws into an error of ours. */
export function asVfError(e: unknown, code: 'BPF_LOAD' | 'BPF_ATTACH', field: string): VfError {
  if (e instanceof VfError) return e;
  if (!(e instanceof BpfError)) throw e;
  if (e.code === 'BPF_PERMISSION')
    return new VfError('CAPABILITY_MISSING', e.message, {
      field,
      fix: 'run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW',
      cause: e,
    });
  const cure = {
    BPF_LOAD: 'see `vfailover doctor` for what this kernel lacks',
    BPF_ATTACH: 'see `vfailover doctor`, and `bpftool net`',
  };
  return new VfError(code, e.message, { field, fix: cure[code], cause: e });
}
