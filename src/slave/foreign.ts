import { PacketSocket } from 'bpf-loader-ts/sys';
import type { Device } from '../device.js';
import { rarpAnnouncement } from '../frames/arp.js';
import { parseMac } from '../frames/mac.js';
import type { Shortfall } from '../impairments.js';
import type { FilterList } from '../netlink/index.js';
import { type DriverLimits, limitsOf } from './drivers.js';
import { listsOf, some } from './lists.js';
import { Memory } from './memory.js';
import type { SlaveContext, Takeover } from './takeover.js';
import { unicastOverflow } from './unicast.js';

interface State {
  limits: DriverLimits;
  seen: readonly [device: Device, list: FilterList, overflow: boolean] | undefined;
  needed: boolean;
  told: Shortfall[];
}

const memory = new Memory<State>((context) => ({
  limits: limitsOf(context.driver()),
  seen: undefined,
  needed: false,
  told: [],
}));

/** The network sends frames to these MACs where it last heard them: it hears each of them by the standby now (RARP). */
function tellNetwork({ netns, master, rtnl }: SlaveContext, list: FilterList): void {
  const behind = master.master === undefined ? [] : rtnl.bridgeEntries(master.master);
  const macs = new Set(list.unicast);
  for (const { address, ifindex } of behind) if (ifindex !== master.ifindex) macs.add(address);
  macs.delete(master.address);
  if (macs.size === 0) return;
  const socket = new PacketSocket({ netns, ifindex: master.ifindex, protocol: 0 });
  try {
    // One that is lost is made up for by the next frame of that station.
    for (const mac of macs) socket.send(rarpAnnouncement({ mac: parseMac(mac) }));
  } finally {
    socket.close();
  }
}

/**
 * MACs that are not the master's (macvlans, containers and VMs behind a bridge), where the primary's driver lets none of them in. Their
 * frames leave by the standby, so the network learns to send the answers there. Once the standby is active nothing differs.
 */
export const FOREIGN: Takeover = {
  name: 'foreign',
  follow(context) {
    const state = memory.of(context);
    const { master, slave, role } = context;
    if (role !== 'primary' || state.limits.promisc !== false) return state.told;
    const list = listsOf(context).master;
    const overflow = unicastOverflow(context);
    const { seen } = state;
    if (seen?.[0] === master && seen[1] === list && seen[2] === overflow) return state.told;
    const needed = (master.promiscuity ?? 0) > 0 || overflow;
    if (needed !== state.needed) {
      context.foreignByStandby(needed ? master.address : undefined);
      state.needed = needed;
      if (needed) tellNetwork(context, list);
    } else if (needed) context.foreignByStandby(master.address);
    const whose = overflow ? some([...list.unicast]) : `stations behind ${master.name}`;
    state.told = needed
      ? [
          {
            key: 'standby',
            severity: 'note',
            message: `${slave.name} (${context.driver()}) does not let in other MACs than its own as far as can be told: frames of ${whose} go by the standby, whatever is active`,
          },
        ]
      : [];
    state.seen = [master, list, overflow];
    return state.told;
  },
  restore(context) {
    if (context.role === 'primary') context.foreignByStandby(undefined);
    memory.forget(context);
  },
};
