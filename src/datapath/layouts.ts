import { VfModel } from '../../bpf/vfailover.bpf.js';
import { type Path, PRIMARY, STANDBY } from '../failover/device.js';
import type { Hook } from './hooks.js';

/** The models that have a datapath. */
export type SteeredModel = 'transparent' | 'net-failover';

/** Where each model has the programs. What else differs between them in the datapath, the programs know by `vf_model`. */
export interface Layout {
  readonly id: VfModel;
  readonly hooks: readonly Hook[];
  /** The path that frames take when no program steers them. */
  readonly rest: Path;
}

export const LAYOUTS: Readonly<Record<SteeredModel, Layout>> = {
  transparent: {
    id: VfModel.VF_TRANSPARENT,
    rest: STANDBY,
    hooks: [
      { name: 'accept', program: 'vf_accept', on: 'master', direction: 'ingress' },
      { name: 'steer', program: 'vf_steer', on: 'master', direction: 'egress' },
      { name: 'guard', program: 'vf_guard', on: 'primary', direction: 'egress' },
      { name: 'deliver', program: 'vf_deliver', on: 'primary', direction: 'ingress' },
    ],
  },
  'net-failover': {
    id: VfModel.VF_NET_FAILOVER,
    rest: PRIMARY,
    hooks: [
      { name: 'steer', program: 'vf_steer', on: 'master', direction: 'egress' },
      { name: 'guard', program: 'vf_guard', on: 'standby', direction: 'egress' },
      { name: 'deliver', program: 'vf_deliver', on: 'standby', direction: 'ingress' },
      { name: 'accept', program: 'vf_accept', on: 'primary', direction: 'ingress' },
    ],
  },
};

/** The model by its number in the pinned identity. */
export const modelOf = (id: VfModel): SteeredModel =>
  id === VfModel.VF_NET_FAILOVER ? 'net-failover' : 'transparent';

export const OUR_PROGRAMS: readonly string[] = LAYOUTS.transparent.hooks.map((h) => h.program);
