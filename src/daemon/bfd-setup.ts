import { discriminatorOf, type InstanceConfig, type ReflectorConfig } from '../config/index.js';
import type { ReflectorKey } from '../datapath/reflector-map.js';
import type { BfdAuthConfig } from '../detect/bfd/auth.js';
import { bfdAuth } from '../detect/bfd/key.js';
import { VfError } from '../errors.js';
import { parseIp } from '../frames/address.js';
import type { Namespace } from './namespace.js';

/**
 * What a BFD session needs of the machine: a peer that is not the machine itself, a key that can be read.
 * @throws VfError CONFIG_INVALID
 */
export function checkBfd(ns: Namespace, { detect: { bfd } }: InstanceConfig): BfdAuthConfig | undefined {
  if (bfd === undefined) return undefined;
  const peer = Buffer.from(parseIp(bfd.peer).bytes);
  if (ns.rtnl.addresses().some((a) => peer.equals(parseIp(a.address).bytes)))
    throw new VfError('CONFIG_INVALID', `the BFD peer ${bfd.peer} is an address of this machine`, {
      field: 'detect.bfd.peer',
      value: bfd.peer,
      fix: 'name a neighbour',
    });
  return bfd.auth && bfdAuth(bfd.auth);
}

/** A reflector as the programs have it; `mac` is the master's. */
export function reflectorKey(config: ReflectorConfig, mac: Uint8Array): ReflectorKey {
  return {
    discriminators: config.discriminators.map(discriminatorOf),
    addresses: config.addresses.map((a) => parseIp(a).bytes),
    vlan: config.vlan,
    ttlMin: config.ttl_min,
    rxIntervalUs: config.rx_interval_us,
    up: config.state === 'up',
    mac,
  };
}
