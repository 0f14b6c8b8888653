import type { Device } from '../failover/device.js';
import type { FilterList } from '../netlink/index.js';
import { type DriverLimits, limitsOf } from './drivers.js';
import { listsOf, some } from './lists.js';
import { Memory } from './memory.js';
import type { Shortfall, Takeover } from './takeover.js';
import { unicastOverflow } from './unicast.js';

interface State {
  limits: DriverLimits;
  seen: readonly [device: Device, list: FilterList, overflow: boolean] | undefined;
  told: Shortfall[];
}

const memory = new Memory<State>((context) => ({
  limits: limitsOf(context.driver()),
  seen: undefined,
  told: [],
}));

/**
 * MACs that are not the master's (macvlans, containers and VMs behind a bridge), where the primary's driver lets none of them in. Their
 * frames leave by the standby, so the network learns to send the answers there. Once the standby is active nothing differs.
 */
export const FOREIGN: Takeover = {
  name: 'foreign',
  models: ['transparent', 'net-failover'],
  follow(context) {
    const state = memory.of(context);
    const { master, slave, role } = context;
    if (role !== 'primary' || state.limits.promisc !== false) return state.told;
    const list = listsOf(context).master;
    const overflow = unicastOverflow(context);
    const { seen } = state;
    if (seen?.[0] === master && seen[1] === list && seen[2] === overflow) return state.told;
    state.seen = [master, list, overflow];
    // In net-failover the kernel itself gives its slaves the MACs, and nobody knows which of them come in.
    const lacks = overflow || (context.model === 'net-failover' && list.unicast.size > 0);
    const needed = (master.promiscuity ?? 0) > 0 || lacks;
    context.foreignByStandby(needed ? master.address : undefined);
    const whose = lacks ? some([...list.unicast]) : `stations behind ${master.name}`;
    state.told = needed
      ? [
          {
            key: 'standby',
            severity: 'note',
            message: `${slave.name} (${context.driver()}) does not let in other MACs than its own as far as can be told: frames of ${whose} go by the standby, whatever is active`,
          },
        ]
      : [];
    return state.told;
  },
  restore(context) {
    if (context.role === 'primary') context.foreignByStandby(undefined);
    memory.forget(context);
  },
};
