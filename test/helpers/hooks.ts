import { type AttachedProgram, inspect, Link } from 'bpf-loader-ts';
import { withNetns } from 'bpf-loader-ts/sys';
import type { World } from '../../lab/netns/world.js';
import type { ImpairmentRecord } from '../../src/api/index.js';
import { OUR_PROGRAMS } from '../../src/models/table.js';
import { inGuest, type Lab } from './daemon.js';

/** The programs on a device of the guest, in the order that a frame meets them: `vf_guard egress`. */
export const programsOn = ({ guest }: World, ifindex: number): string[] =>
  withNetns(guest, () => inspect(ifindex)).map((p) => `${p.name} ${'direction' in p ? p.direction : p.hook}`);

/** All four of an instance of the transparent model, as `programsOn` has them. */
export const WHOLE = {
  virtio: ['vf_accept ingress', 'vf_steer egress'],
  vf: ['vf_deliver ingress', 'vf_guard egress'],
};

export const ours = (l: Lab): { virtio: string[]; vf: string[] } => {
  const only = (ifindex: number) =>
    programsOn(l.world, ifindex).filter((p) => OUR_PROGRAMS.includes(p.split(' ')[0]!));
  return { virtio: only(l.world.virtio.guestIfindex), vf: only(l.world.vf.guestIfindex) };
};

/** Takes a program of ours off, as `bpftool link detach`, or `tc filter del`, would. */
export function takeOff(w: World, ifindex: number, name: string): void {
  const found = withNetns(w.guest, () => inspect(ifindex)).find((p) => p.name === name);
  if (!found) throw new Error(`${name} is not there`);
  takeOffFound(w, found, ifindex);
}

function takeOffFound(w: World, found: AttachedProgram, ifindex: number): void {
  if (found.hook === 'tcx') {
    using link = Link.fromId(found.linkId!);
    link.detach();
  } else if (found.hook === 'clsact') {
    const device = ifindex === w.virtio.guestIfindex ? 'virtio0' : 'vf0';
    const filter = `filter del dev ${device} ${found.direction} prio ${found.priority}`;
    inGuest(w, 'tc', ...filter.split(' '));
  }
}

export const impairments = (l: Pick<Lab, 'client'>): Promise<ImpairmentRecord[]> =>
  l.client.request('impairments', {});

/** What `status` says is not as it should be, and the log of it, as one text. */
export const told = async (l: Pick<Lab, 'client'>): Promise<string> =>
  (await impairments(l)).map((r) => `${r.over ? 'over: ' : ''}${r.impairment.message}`).join('\n');
