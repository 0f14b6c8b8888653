import { VfModel } from '../../bpf/vfailover.bpf.js';
import { type Path, PRIMARY, STANDBY } from '../device.js';
import type { Hook } from './hooks.js';

/** The models that have a datapath. */
export type SteeredModel = 'transparent' | 'net-failover';

/** Where each model has the programs. What else differs between them in the datapath, the programs know by `vf_model`. */
export interface Layout {
  readonly id: VfModel;
  readonly hooks: readonly Hook[];
  /** The path that frames take when no program steers them: safe while a program is missing. The other one needs them all. */
  readonly rest: Path;
}

export const LAYOUTS: Readonly<Record<SteeredModel, Layout>> = {
  transparent: {
    id: VfModel.VF_TRANSPARENT,
    rest: STANDBY,
    hooks: [
      { name: 'accept', program: 'vf_accept', on: 'master', direction: 'ingress', redirects: false },
      { name: 'steer', program: 'vf_steer', on: 'master', direction: 'egress', redirects: true },
      { name: 'guard', program: 'vf_guard', on: 'primary', direction: 'egress', redirects: false },
      { name: 'deliver', program: 'vf_deliver', on: 'primary', direction: 'ingress', redirects: true },
    ],
  },
  'net-failover': {
    id: VfModel.VF_NET_FAILOVER,
    rest: PRIMARY,
    hooks: [
      { name: 'steer', program: 'vf_steer', on: 'master', direction: 'egress', redirects: true },
      { name: 'guard', program: 'vf_guard', on: 'standby', direction: 'egress', redirects: false },
      { name: 'deliver', program: 'vf_deliver', on: 'standby', direction: 'ingress', redirects: true },
      { name: 'accept', program: 'vf_accept', on: 'primary', direction: 'ingress', redirects: false },
    ],
  },
};

/** The model by its number in the pinned identity. */
export const modelOf = (id: VfModel): SteeredModel =>
  id === VfModel.VF_NET_FAILOVER ? 'net-failover' : 'transparent';

export const OUR_PROGRAMS: readonly string[] = LAYOUTS.transparent.hooks.map((h) => h.program);
