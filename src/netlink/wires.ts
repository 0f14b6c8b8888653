/** Devices that a lab or a test makes: veth pairs and bridges. Pure. */
import { parseMac } from '../frames/mac.js';
import * as c from './constants.js';
import { checkName } from './links.js';
import { MessageBuilder } from './message.js';

export interface VethSpec {
  name: string;
  mac?: string;
  /** Both ends. */
  mtu?: number;
  /** `netnsFd`: the namespace the peer is born in; ours by default. */
  peer: { name: string; mac?: string; netnsFd?: number };
}

export interface BridgeSpec {
  name: string;
  /** Default false: floods multicast at once, which is what a wire does. */
  mcastSnooping?: boolean;
  /** Default false. */
  stp?: boolean;
  /** Seconds. */
  forwardDelay?: number;
  /** Seconds that a learnt address lives. */
  ageing?: number;
}

const MAKE = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_EXCL;

/** Asks for two devices joined by a cable. */
export function vethRequest(spec: VethSpec): MessageBuilder {
  const { peer } = spec;
  const end = (m: MessageBuilder, name: string, field: string, mac: string | undefined): MessageBuilder => {
    m.string(c.IFLA_IFNAME, checkName(name, field));
    if (mac !== undefined) m.attr(c.IFLA_ADDRESS, parseMac(mac, field));
    if (spec.mtu !== undefined) m.u32(c.IFLA_MTU, spec.mtu);
    return m;
  };
  return end(new MessageBuilder(c.RTM_NEWLINK, MAKE).ifinfo(0), spec.name, 'name', spec.mac).nest(
    c.IFLA_LINKINFO,
    (m) =>
      m.string(c.IFLA_INFO_KIND, 'veth').nest(c.IFLA_INFO_DATA, (data) =>
        data.nest(c.VETH_INFO_PEER, (p) => {
          end(p.ifinfo(0), peer.name, 'peer.name', peer.mac);
          if (peer.netnsFd !== undefined) p.u32(c.IFLA_NET_NS_FD, peer.netnsFd);
        }),
      ),
  );
}

/** Asks for a bridge. */
export function bridgeRequest(spec: BridgeSpec): MessageBuilder {
  return new MessageBuilder(c.RTM_NEWLINK, MAKE)
    .ifinfo(0)
    .string(c.IFLA_IFNAME, checkName(spec.name, 'name'))
    .nest(c.IFLA_LINKINFO, (m) =>
      m.string(c.IFLA_INFO_KIND, 'bridge').nest(c.IFLA_INFO_DATA, (data) => {
        data
          .u32(c.IFLA_BR_STP_STATE, spec.stp ? 1 : 0)
          .u8(c.IFLA_BR_MCAST_SNOOPING, spec.mcastSnooping ? 1 : 0);
        // both in hundredths of a second
        if (spec.forwardDelay !== undefined)
          data.u32(c.IFLA_BR_FORWARD_DELAY, Math.round(spec.forwardDelay * 100));
        if (spec.ageing !== undefined) data.u32(c.IFLA_BR_AGEING_TIME, Math.round(spec.ageing * 100));
      }),
    );
}

/** Asks a bridge to forget the addresses that it has learnt. */
export const flushRequest = (ifindex: number): MessageBuilder =>
  new MessageBuilder(c.RTM_NEWLINK, c.NLM_F_REQUEST | c.NLM_F_ACK)
    .ifinfo(ifindex)
    .nest(c.IFLA_LINKINFO, (m) =>
      m
        .string(c.IFLA_INFO_KIND, 'bridge')
        .nest(c.IFLA_INFO_DATA, (data) => data.attr(c.IFLA_BR_FDB_FLUSH, new Uint8Array(0))),
    );
