import { parseBridgeVlans, type VlanRange } from './bridge-vlans.js';
import * as c from './constants.js';
import { MessageBuilder } from './message.js';
import type { Rtnl } from './rtnl.js';

/** A VLAN device to make. */
export interface VlanSpec {
  name: string;
  /** ifindex of the device below. */
  link: number;
  id: number;
  /** EtherType of the tag: 0x8100, 0x88a8. */
  protocol: number;
  /** Shown by `ip link`; at most 255 bytes. */
  alias?: string;
}

/**
 * Makes a VLAN device that stays down when the device below goes up (loose binding: the kernel would set it up as well). Needs
 * 8021q. Throws NETLINK, with `value` EEXIST where the device below has such a VLAN.
 */
export function createVlan(rtnl: Rtnl, spec: VlanSpec): void {
  const flags = new Uint8Array(8);
  new Uint32Array(flags.buffer).fill(c.VLAN_FLAG_LOOSE_BINDING);
  const request = new MessageBuilder(
    c.RTM_NEWLINK,
    c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_EXCL,
  )
    .ifinfo(0)
    .string(c.IFLA_IFNAME, spec.name)
    .u32(c.IFLA_LINK, spec.link)
    .nest(c.IFLA_LINKINFO, (m) =>
      m.string(c.IFLA_INFO_KIND, 'vlan').nest(c.IFLA_INFO_DATA, (data) =>
        data
          .attr(c.IFLA_VLAN_ID, new Uint8Array(Uint16Array.of(spec.id).buffer))
          .attr(c.IFLA_VLAN_PROTOCOL, Uint8Array.of(spec.protocol >> 8, spec.protocol & 0xff))
          .attr(c.IFLA_VLAN_FLAGS, flags),
      ),
    );
  rtnl.request(request, `create VLAN device ${spec.name}`, 'name');
  const made = rtnl.link(spec.name);
  if (made === undefined) return;
  const change = new MessageBuilder(c.RTM_SETLINK, c.NLM_F_REQUEST | c.NLM_F_ACK).ifinfo(made.ifindex);
  if (spec.alias !== undefined) change.attr(c.IFLA_IFALIAS, new TextEncoder().encode(spec.alias));
  change.nest(c.IFLA_AF_SPEC, (m) =>
    m.nest(c.AF_INET6, (n) => n.u8(c.IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_NONE)),
  );
  rtnl.request(change, `describe VLAN device ${spec.name}`);
}

const ADDR_GEN_NONE = 1;

/** VLAN ids that a port of a bridge lets in. Linux 5.6; empty where the kernel's bridge has no VLANs. */
export function bridgeVlans(rtnl: Rtnl, port: number): VlanRange[] {
  // struct br_vlan_msg: family, reserved, ifindex
  const head = new Uint8Array(8);
  head[0] = c.AF_BRIDGE;
  new Int32Array(head.buffer, 4, 1)[0] = port;
  const request = (): MessageBuilder =>
    new MessageBuilder(c.RTM_GETVLAN, c.NLM_F_REQUEST | c.NLM_F_DUMP).raw(head);
  return rtnl
    .dump(request, `list the VLANs of bridge port ${port}`, (m) =>
      m.type === c.RTM_NEWVLAN ? parseBridgeVlans(m.data) : undefined,
    )
    .flat();
}
