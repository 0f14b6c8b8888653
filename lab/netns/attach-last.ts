import {
  attachClsact,
  attachTcx,
  BpfError,
  createClsact,
  type Direction,
  detachClsact,
  haveTcx,
  type Program,
} from 'bpf-loader-ts';
import { withNetns } from 'bpf-loader-ts/sys';

/** Behind every filter of clsact that somebody else may have. */
const LAST = { handle: 1, priority: 0xffff } as const;

/**
 * Attaches a program behind all others on a device's ingress, where it sees what the stack would, or on its egress; returns what detaches it.
 * Kernels before 6.6 have no TCX: clsact there, whose qdisc stays (others may use it by then).
 */
export function attachLast(
  program: Program,
  netns: number,
  ifindex: number,
  direction: Direction = 'ingress',
): () => void {
  if (haveTcx().answer === 'supported') {
    const link = withNetns(netns, () => attachTcx(program, ifindex, direction, { where: 'tail' }));
    return () => link.close();
  }
  const place = { ifindex, direction, ...LAST };
  withNetns(netns, () => {
    createClsact(ifindex);
    attachClsact(program, place);
  });
  return () => {
    try {
      withNetns(netns, () => detachClsact(place));
    } catch (e) {
      // The device has gone, and its filters with it.
      if (!(e instanceof BpfError) || !['ENOENT', 'ENODEV', 'EINVAL'].includes(e.errno ?? '')) throw e;
    }
  };
}
