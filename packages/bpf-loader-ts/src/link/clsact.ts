import { native } from '../binding.js';
import { wrap } from '../errors.js';
import type { Program } from '../program.js';
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

/** Makes the clsact qdisc if there is none; true if it did. Any kernel with cls_bpf (4.5). In the calling thread's namespace. */
export const createClsact = (ifindex: number): boolean =>
  wrap('BPF_ATTACH', `clsact on device ${ifindex}`, () => native.clsactCreate(ifindex, true));

/** Removes the clsact qdisc with every filter on it. */
export const destroyClsact = (ifindex: number): void =>
  wrap('BPF_ATTACH', `removal of clsact from device ${ifindex}`, () => native.clsactDestroy(ifindex, true));

/** Attaches a direct-action filter; with `replace` it takes the place of one with the same handle and priority, atomically. */
export function attachClsact(program: Program, place: ClsactPlace, replace = false): void {
  const { ifindex, direction, handle, priority } = place;
  wrap('BPF_ATTACH', `attach ${program.info.name} to clsact ${direction} of device ${ifindex}`, () =>
    native.clsactAttach(ifindex, direction === 'egress', program.fd, handle, priority, replace),
  );
}

export function detachClsact({ ifindex, direction, handle, priority }: ClsactPlace): void {
  wrap('BPF_ATTACH', `detach from clsact ${direction} of device ${ifindex}`, () =>
    native.clsactDetach(ifindex, direction === 'egress', handle, priority),
  );
}

/** Program id of the filter at that place, or 0. */
export const queryClsact = ({ ifindex, direction, handle, priority }: ClsactPlace): number =>
  wrap('BPF_ATTACH', `query of clsact ${direction} of device ${ifindex}`, () =>
    native.clsactQuery(ifindex, direction === 'egress', handle, priority),
  );
