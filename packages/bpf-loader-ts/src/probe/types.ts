import { native } from '../binding.js';
import { AttachType, MapType, type MapTypeName, ProgType } from '../constants.js';
import { BpfError } from '../errors.js';
import { errnoName } from '../sys/fd.js';
import { wrap } from '../wrap.js';
import { call, EXIT, program, returning } from './instructions.js';
import { errno, type Probe, probe, works } from './probe.js';
import { helperSince, MAP_TYPE_SINCE, PROG_TYPE_SINCE } from './versions.js';

/** A program type's name, as bpftool prints it. */
export type ProgramTypeName = keyof typeof PROG_TYPE_SINCE;

function known<T extends object>(what: string, table: T, name: string): keyof T {
  if (Object.hasOwn(table, name)) return name as keyof T;
  throw new BpfError(
    'BPF_ARGUMENT',
    `${what} ${name} is not known; there are ${Object.keys(table).join(', ')}`,
  );
}

/** libbpf 1.1 has no arena; it is made as the kernel wants one (BPF_F_MMAPABLE, no keys or values). */
const ARENA = (): boolean =>
  works(() => native.mapCreate(MapType.arena, 'vf_probe', 0, 0, 1, 1 << 10), 'EINVAL');

/** Whether maps of a type can be made: `haveMapType('ringbuf')`. Throws BPF_ARGUMENT for a name that is none. */
export function haveMapType(name: MapTypeName): Probe {
  const type = known('map type', MAP_TYPE_SINCE, name);
  return probe(`map type ${type}`, MAP_TYPE_SINCE[type], () => {
    if (type === 'arena') return ARENA();
    const answer: number = wrap('BPF_MAP', 'probe', () => native.haveMapType(MapType[type]));
    if (answer < 0)
      throw new BpfError('BPF_MAP', `no answer: ${errnoName(answer)}`, { errno: errnoName(answer) });
    return answer === 1;
  });
}

const BPF_F_SLEEPABLE = 1 << 4;

/** Types that are refused unless they are loaded for something: expected_attach_type, a type id of BTF, flags. */
const LOADED_FOR: Partial<Record<ProgramTypeName, { attach?: number; btfId?: number; flags?: number }>> = {
  cgroup_sock_addr: { attach: AttachType.cgroup_inet4_connect },
  cgroup_sockopt: { attach: AttachType.cgroup_getsockopt },
  sk_lookup: { attach: AttachType.sk_lookup },
  sk_reuseport: { attach: AttachType.sk_reuseport_select },
  netfilter: { attach: AttachType.netfilter },
  syscall: { flags: BPF_F_SLEEPABLE },
  // Type 1 of the kernel's BTF is an integer: refused, but by the verifier, which has then seen the program type.
  tracing: { attach: AttachType.trace_raw_tp, btfId: 1 },
  lsm: { attach: AttachType.lsm_mac, btfId: 1 },
  struct_ops: { btfId: 1 },
  ext: { btfId: 1 },
};

/** Loads a program of this type; what the verifier said of it when it got so far, '' when it found nothing to say. */
function load(type: ProgramTypeName, instructions: Uint8Array): string {
  const { attach = 0, btfId = 0, flags = 0 } = LOADED_FOR[type] ?? {};
  try {
    const fd: number = wrap('BPF_LOAD', `program of type ${type}`, () =>
      native.progLoad(ProgType[type], attach, instructions, 'GPL', 'vf_probe', btfId, flags),
    );
    native.fdClose(fd);
    return '';
  } catch (e) {
    if (e instanceof BpfError && e.log !== undefined) return e.log;
    throw e;
  }
}

/** Whether programs of a type can be loaded: `haveProgramType('xdp')`. Throws BPF_ARGUMENT for a name that is none. */
export function haveProgramType(name: ProgramTypeName): Probe {
  const type = known('program type', PROG_TYPE_SINCE, name);
  return probe(`program type ${type}`, PROG_TYPE_SINCE[type], () => {
    try {
      load(type, returning(0));
      return true;
    } catch (e) {
      // Before the verifier: the type is not known. ENOTSUPP: struct_ops programs without the BTF of the kernel.
      if (errno(e) === 'EINVAL') return false;
      throw e;
    }
  });
}

let names: readonly string[] | undefined;

/** A helper's number, by name with or without `bpf_`. */
function helperNumber(helper: number | string): number {
  if (typeof helper === 'number') {
    if (Number.isInteger(helper) && helper > 0 && helper < 2 ** 31) return helper;
    throw new BpfError('BPF_ARGUMENT', `helper is ${helper}, not a helper's number from 1 on`);
  }
  names ??= native.helperNames() as string[];
  const n = names.indexOf(helper.replace(/^bpf_/, ''));
  if (n > 0) return n;
  throw new BpfError('BPF_ARGUMENT', `helper ${helper} is not known by name; give its number`);
}

/** What the verifier says of a helper that the kernel does not have. */
const UNKNOWN = /invalid func /;
/** What older kernels and newer ones say of a helper that programs of this type may not call. */
const REFUSED = /unknown func |cannot use helper/;
/** Of types whose helpers cannot be tried with so small a program. */
const UNTRIED: readonly ProgramTypeName[] = ['tracing', 'ext', 'lsm', 'struct_ops'];

/**
 * Whether programs of a type may call a helper, by its number or its name: `haveHelper('xdp', 'redirect_map')`. The program has a licence that
 * is compatible with the GPL. Inconclusive for tracing, ext, lsm and struct_ops. Throws BPF_ARGUMENT for names that are none.
 */
export function haveHelper(programType: ProgramTypeName, helper: number | string): Probe {
  const type = known('program type', PROG_TYPE_SINCE, programType);
  const number = helperNumber(helper);
  return probe(`helper ${helper} in ${type} programs`, helperSince(number), () => {
    if (UNTRIED.includes(type))
      throw new BpfError('BPF_UNSUPPORTED', `what ${type} programs may call depends on what they attach to`);
    const said = load(type, program(call(number), EXIT));
    return REFUSED.test(said) ? `${type} programs may not call it` : !UNKNOWN.test(said);
  });
}
