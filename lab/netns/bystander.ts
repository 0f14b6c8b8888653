import {
  attachClsact,
  attachTcx,
  attachXdp,
  createClsact,
  type Direction,
  detachClsact,
  type Link,
} from 'bpf-loader-ts';
import { withNetns } from 'bpf-loader-ts/sys';
import { bystander } from '../../bpf/bystander.bpf.js';
import { bpfObject } from '../../src/paths.js';

/** Somebody else's program on a device: counts what it sees. */
export interface Bystander extends Disposable {
  /** As the kernel names it. */
  readonly name: string;
  /** Frames seen so far. */
  readonly seen: number;
  /** Ends the chain for what it sees from now on (TCX_PASS, TC_ACT_OK), or lets the next program run. */
  endsChain(yes: boolean): void;
  /** Detaches it. */
  [Symbol.dispose](): void;
}

export interface Place {
  /** fd of the namespace. */
  netns: number;
  ifindex: number;
  /** XDP in its generic mode has no direction. */
  direction: Direction;
  /** `xdp` by a link, of which no message tells. */
  by: 'tcx' | 'clsact' | 'xdp';
  /** TCX: before all others; otherwise behind. */
  first?: boolean;
  /** Of a filter. Default 1. */
  priority?: number;
}

export function attachBystander({ netns, ifindex, direction, by, first, priority = 1 }: Place): Bystander {
  const object = bystander.load(bpfObject('bystander'));
  const { by_seen, by_verdict } = object.variables;
  const { bystander: tc, bystander_xdp } = object.programs;
  const place = { ifindex, direction, handle: 1, priority };
  let link: Link | undefined;
  withNetns(netns, () => {
    if (by === 'tcx') link = attachTcx(tc, ifindex, direction, { where: first ? 'head' : 'tail' });
    else if (by === 'xdp') link = attachXdp(bystander_xdp, ifindex, 'generic');
    else {
      createClsact(ifindex);
      attachClsact(tc, place);
    }
  });
  return {
    name: by === 'xdp' ? 'bystander_xdp' : 'bystander',
    get seen() {
      return by_seen.get();
    },
    endsChain(yes) {
      by_verdict.set(yes ? 0 : -1);
    },
    [Symbol.dispose]() {
      if (link) link.close();
      else withNetns(netns, () => detachClsact(place));
      object.close();
    },
  };
}
