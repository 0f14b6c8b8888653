import { PRIMARY } from '../device.js';
import type { SteeredModel } from './model.js';

/** The kernel's net_failover device is the master. Its driver made both slaves its own, and sends to the primary by itself. */
export const netFailover = {
  constant: 'VF_NET_FAILOVER',
  standbyIsMaster: false,
  masterOwnsSlaves: true,
  sameMac: true,
  rest: PRIMARY,
  hooks: [
    { name: 'steer', program: 'vf_steer', on: 'master', direction: 'egress', redirects: true },
    { name: 'guard', program: 'vf_guard', on: 'standby', direction: 'egress', redirects: false },
    { name: 'deliver', program: 'vf_deliver', on: 'standby', direction: 'ingress', redirects: true },
    { name: 'accept', program: 'vf_accept', on: 'primary', direction: 'ingress', redirects: false },
  ],
  // dev_mc_sync_multiple, vlan_vids_add_by_dev and dev_open of drivers/net/net_failover.c.
  kernelTakesOver: ['groups', 'vlans', 'admin state'],
} as const satisfies SteeredModel;
