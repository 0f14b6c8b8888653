import { VfError } from '../../errors.js';
import { parseIp } from '../../frames/address.js';
import type { Discovery, Surroundings } from '../detector.js';
import type { BfdAuthConfig } from './auth.js';
import { bfdAuth } from './key.js';
import { type BfdPeer, findPeer } from './peer.js';
import type { BfdConfig } from './section.js';

/**
 * Checks that the peer is not this machine itself. Returns how the session authenticates, with the key, of which the configuration may only
 * name a file; undefined: it does not. Throws VfError CONFIG_INVALID.
 */
export function prepare(config: BfdConfig, addresses: () => readonly string[]): BfdAuthConfig | undefined {
  const peer = Buffer.from(parseIp(config.peer).bytes);
  if (addresses().some((a) => peer.equals(parseIp(a).bytes)))
    throw new VfError('CONFIG_INVALID', `the BFD peer ${config.peer} is an address of this machine`, {
      field: 'detect.bfd.peer',
      value: config.peer,
      fix: 'name a neighbour',
    });
  return config.auth && bfdAuth(config.auth);
}

/** Finds the peer's MAC; null: not known yet, or configured. */
export function find(
  config: BfdConfig,
  around: Surroundings,
): Discovery<Uint8Array | null, BfdPeer | undefined> {
  if (config.peer_mac !== undefined) return { found: null, plan: undefined, pending: false };
  const peer = findPeer(config, around);
  return { found: peer.mac, plan: peer, pending: peer.pending };
}
