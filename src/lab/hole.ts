import { lab } from '../../bpf/lab.bpf.js';
import { bpfObject } from '../paths.js';
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

/** A fault that no device tells: the far end drops frames while the link stays up. Open until it is closed. */
export function openHole({ netns, ifindex, direction, loss = 1 }: HoleOptions): { close(): void } {
  const object = lab.load(bpfObject('lab'), {
    skip: ['vf_record'],
    variables: { vf_loss: Math.min(0xffffffff, Math.round(loss * 2 ** 32)) },
  });
  const program = object.programs.vf_blackhole;
  const detach = [
    ...(direction === 'to-guest' ? [] : [attachLast(program, netns, ifindex, 'ingress')]),
    ...(direction === 'from-guest' ? [] : [attachLast(program, netns, ifindex, 'egress')]),
  ];
  return {
    close() {
      for (const d of detach) d();
      object.close();
    },
  };
}
