import { monotonicNs } from 'bpf-loader-ts/sys';
import { lab } from '../../bpf/lab.bpf.js';
import { bpfObject } from '../../src/paths.js';
import { attachLast } from './attach-last.js';

export interface HoleOptions {
  /** The far end of the wire: a port of the host's bridge. */
  netns: number;
  ifindex: number;
  /** Which frames: those from the guest, to it, or both. */
  direction: 'from-guest' | 'to-guest' | 'both';
  /** The share of frames that is lost, above 0 up to 1. */
  loss?: number;
}

/** A fault that no device tells: the far end drops frames while the link stays up. */
export interface Hole {
  /** Begins to drop, at once and in all its directions at the same moment; returns that, CLOCK_MONOTONIC ns. */
  open(): number;
  /** Drops nothing any more until it is opened again. */
  mend(): void;
  /** Takes it out. */
  close(): void;
}

/** A hole that is not open yet: putting one in takes the kernel up to 30 ms, which is no part of a fault. */
export function prepareHole({ netns, ifindex, direction, loss = 1 }: HoleOptions): Hole {
  const object = lab.load(bpfObject('lab'), {
    skip: ['vf_record'],
    variables: { vf_loss: Math.min(0xffffffff, Math.round(loss * 2 ** 32)), vf_mended: 1 },
  });
  const program = object.programs.vf_blackhole;
  const { vf_mended } = object.variables;
  // The first store maps the memory.
  vf_mended.set(1);
  const detach = [
    ...(direction === 'to-guest' ? [] : [attachLast(program, netns, ifindex, 'ingress')]),
    ...(direction === 'from-guest' ? [] : [attachLast(program, netns, ifindex, 'egress')]),
  ];
  return {
    open() {
      const ns = monotonicNs();
      vf_mended.set(0);
      return ns;
    },
    mend() {
      vf_mended.set(1);
    },
    close() {
      for (const d of detach) d();
      object.close();
    },
  };
}

/** One that is open from the start. */
export function openHole(options: HoleOptions): Hole {
  const hole = prepareHole(options);
  hole.open();
  return hole;
}
