import { native } from '../binding.js';
import { AttachType, BPF_F_AFTER, BPF_F_BEFORE } from '../constants.js';
import { wrap } from '../errors.js';
import type { Program } from '../program.js';
import { Link } from './link.js';

export type Direction = 'ingress' | 'egress';
const type = (d: Direction): number => (d === 'ingress' ? AttachType.tcx_ingress : AttachType.tcx_egress);

export interface TcxOptions {
  /** `head`: before all others; `tail` (default): after them. */
  where?: 'head' | 'tail';
  /** Attach only if the list is still at this revision (`queryTcx`), else ESTALE. */
  expectedRevision?: number;
}

/** Attaches a tc program by TCX (Linux 6.6). A program already in the list is EEXIST. In the calling thread's namespace. */
export function attachTcx(
  program: Program,
  ifindex: number,
  direction: Direction,
  options: TcxOptions = {},
): Link {
  const flags = options.where === 'head' ? BPF_F_BEFORE : options.where === 'tail' ? BPF_F_AFTER : 0;
  return Link.create(program, ifindex, type(direction), `TCX ${direction}`, {
    flags,
    expectedRevision: options.expectedRevision ?? 0,
  });
}

/** The programs on a device in the order they run (Linux 6.6). */
export function queryTcx(
  ifindex: number,
  direction: Direction,
): { revision: number; entries: { progId: number; linkId: number }[] } {
  return wrap('BPF_ATTACH', `query of TCX ${direction} of device ${ifindex}`, () =>
    native.progQuery(ifindex, type(direction)),
  );
}
