import type { ReflectorKey } from '../../datapath/reflector-map.js';
import { parseIp } from '../../frames/address.js';
import { discriminatorOf, type ReflectorConfig } from './section.js';

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
