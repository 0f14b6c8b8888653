import { STANDBY } from '../device.js';
import type { SteeredModel } from './model.js';

/** The virtio netdev is the master and its own standby. The VF works hidden beneath it. */
export const transparent = {
  constant: 'VF_TRANSPARENT',
  standbyIsMaster: true,
  masterOwnsSlaves: false,
  sameMac: true,
  rest: STANDBY,
  hooks: [
    { name: 'accept', program: 'vf_accept', on: 'master', direction: 'ingress', redirects: false },
    { name: 'steer', program: 'vf_steer', on: 'master', direction: 'egress', redirects: true },
    { name: 'guard', program: 'vf_guard', on: 'primary', direction: 'egress', redirects: false },
    { name: 'deliver', program: 'vf_deliver', on: 'primary', direction: 'ingress', redirects: true },
  ],
  kernelTakesOver: [],
} as const satisfies SteeredModel;
