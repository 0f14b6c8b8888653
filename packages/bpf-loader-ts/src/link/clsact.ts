import { native } from '../binding.js';
import { BpfError } from '../errors.js';
import type { Program } from '../program/program.js';
import { wrap } from '../wrap.js';
import type { Direction } from './tcx.js';

/** Where a cls_bpf filter stands on a device. */
export interface ClsactPlace {
  ifindex: number;
  direction: Direction;
  /** Filter handle, from 1. */
  handle: number;
  /** Lower runs first, from 1. */
  priority: number;
}

/** The kernel takes 0 for "any" or "choose one": here it would touch what is somebody else's. */
function check({ ifindex, handle, priority }: ClsactPlace): void {
  const number = (name: string, n: number, max: number): void => {
    if (!Number.isInteger(n) || n < 1 || n > max)
      throw new BpfError('BPF_ARGUMENT', `${name} is ${n}, not a whole number from 1 to ${max}`);
  };
  number('ifindex', ifindex, 0x7fffffff);
  number('handle', handle, 0xffffffff);
  number('priority', priority, 0xffff);
}

/** Makes the clsact qdisc if there is none; true if it did. Any kernel with cls_bpf (4.5). In the calling thread's namespace. */
export const createClsact = (ifindex: number): boolean =>
  wrap('BPF_ATTACH', `clsact on device ${ifindex}`, () => native.clsactCreate(ifindex, true));

/** Removes the clsact qdisc with every filter on it. */
export const destroyClsact = (ifindex: number): void =>
  wrap('BPF_ATTACH', `removal of clsact from device ${ifindex}`, () => native.clsactDestroy(ifindex, true));

/** Attaches a direct-action filter; with `replace` it takes the place of one with the same handle and priority, atomically. */
export function attachClsact(program: Program, place: ClsactPlace, replace = false): void {
  const { ifindex, direction, handle, priority } = place;
  check(place);
  wrap('BPF_ATTACH', `attach ${program.info.name} to clsact ${direction} of device ${ifindex}`, () =>
    native.clsactAttach(ifindex, direction === 'egress', program.fd, handle, priority, replace),
  );
}

/** Removes the filter at that place, not the qdisc. Throws BPF_ATTACH with ENOENT when there is none. */
export function detachClsact(place: ClsactPlace): void {
  const { ifindex, direction, handle, priority } = place;
  check(place);
  wrap('BPF_ATTACH', `detach from clsact ${direction} of device ${ifindex}`, () =>
    native.clsactDetach(ifindex, direction === 'egress', handle, priority),
  );
}

/** Program id of the filter at that place, or 0 (also when there is no clsact qdisc, or no such device). */
export function queryClsact(place: ClsactPlace): number {
  const { ifindex, direction, handle, priority } = place;
  check(place);
  return wrap('BPF_ATTACH', `query of clsact ${direction} of device ${ifindex}`, () =>
    native.clsactQuery(ifindex, direction === 'egress', handle, priority),
  );
}
