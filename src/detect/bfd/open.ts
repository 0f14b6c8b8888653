import { randomInt } from 'node:crypto';
import { parseIp } from '../../frames/address.js';
import { parseMac } from '../../frames/mac.js';
import type { DetectorContext } from '../detector.js';
import type { BfdAuthConfig } from './auth.js';
import type { BfdEngine } from './engine.js';
import type { BfdEndpoint } from './frame.js';
import { SbfdInitiator } from './initiator.js';
import type { BfdKey } from './map.js';
import { BFD_PORT, SBFD_PORT } from './packet.js';
import { type BfdConfig, discriminatorOf } from './section.js';
import { BfdSender } from './sender.js';
import { BfdSession } from './session.js';

export type Context = DetectorContext<BfdAuthConfig | undefined>;

/** Ports of RFC 5881 §4, by slot: the store has fewer slots. */
const SOURCE_PORT = 49152;

/** What runs on a path, by its configuration. */
export interface Opened {
  readonly discriminator: number;
  readonly engine: BfdEngine;
  /** The engine, where it is a session with a peer; undefined: it asks an S-BFD reflector. */
  readonly session: BfdSession | undefined;
}

/** Makes the engine that the configuration asks for. */
export function openEngine({ slot, prepared }: Context, config: BfdConfig): Opened {
  const discriminator =
    config.discriminator === undefined
      ? randomInt(1, 0x10000) * 0x10000 + slot + 1
      : discriminatorOf(config.discriminator);
  const parameters = {
    discriminator,
    desiredMinTxUs: config.tx_interval_us,
    requiredMinRxUs: config.rx_interval_us,
    detectMult: config.multiplier,
  };
  if (config.mode === 's-bfd') {
    const remoteDiscriminator = discriminatorOf(config.remote_discriminator ?? 0);
    const engine = new SbfdInitiator({ ...parameters, remoteDiscriminator }, Math.random);
    return { discriminator, engine, session: undefined };
  }
  const session = new BfdSession(
    { ...parameters, requiredMinEchoRxUs: config.echo_rx_interval_us ?? 0, auth: prepared },
    Math.random,
  );
  return { discriminator, engine: session, session };
}

/** Returns the two ends as frames have them. The peer's MAC is zeros until it is known. */
export function endpointOf({ slot, mac }: Context, config: BfdConfig): BfdEndpoint {
  return {
    localMac: mac.slice(),
    peerMac: config.peer_mac === undefined ? new Uint8Array(6) : parseMac(config.peer_mac, 'peer_mac'),
    local: parseIp(config.local).bytes,
    peer: parseIp(config.peer).bytes,
    vlan: config.vlan,
    sourcePort: SOURCE_PORT + slot,
  };
}

/** Returns what the programs have to know of the packets that come. */
export function keyOf(
  { discriminator, session }: Opened,
  end: BfdEndpoint,
  config: BfdConfig,
  echoKey: Uint8Array | undefined,
): BfdKey {
  return {
    discriminator,
    local: end.local,
    peer: end.peer,
    vlan: config.vlan,
    mac: end.localMac,
    ...(session === undefined && {
      asks: true,
      port: end.sourcePort,
      from: SBFD_PORT,
      ttl: config.ttl_min,
    }),
    echoLoop: config.echo_rx_interval_us !== undefined,
    ...(echoKey && { echoKey }),
  };
}

/** Makes what sends the engine's packets. */
export const senderOf = (
  { pacer, slot }: Context,
  { engine, session }: Opened,
  end: BfdEndpoint,
  { multiplier }: BfdConfig,
): BfdSender =>
  new BfdSender({
    ...{ pacer, slot, end, multiplier },
    length: engine.length,
    port: session === undefined ? SBFD_PORT : BFD_PORT,
  });
