import { withNetns } from 'bpf-loader-ts/sys';
import { onTestFinished } from 'vitest';
import { World } from '../../lab/netns/world.js';
import { PinStore } from '../../src/datapath/store.js';
import type { Device } from '../../src/device.js';
import type { Shortfall } from '../../src/impairments.js';
import { STEERED, type SteeredName } from '../../src/models/table.js';
import { Ethtool, FilterLists } from '../../src/netlink/index.js';
import { SlaveKeeper } from '../../src/slave/keeper.js';
import type { SlaveContext, Takeover } from '../../src/slave/takeover.js';
import { UndoLog } from '../../src/slave/undo-log.js';
import { pinRoot, standInMaster } from './in-process.js';

/** A slave that takes over from its master in this process, without a daemon: real devices, real lists, a real undo map. */
export interface SlaveRig {
  world: World;
  keeper: SlaveKeeper;
  /** Looks as the daemon does KEEP_MS later: the lists are read anew. */
  look(): void;
  context: () => SlaveContext;
  /** Counts changes instead of the rig, for which everything has changed at each look. */
  changes: SlaveContext['changes'] | undefined;
  /** What the takeovers last said. */
  told: Map<string, readonly Shortfall[]>;
  /** What the datapath was last told: frames from other MACs than this leave by the standby. */
  foreign: (string | undefined)[];
  /** Joins; returns what undoes it. */
  join(): () => void;
}

/** The kernel makes a veth that has other MACs promiscuous, since its driver has no list of them; a virtio device has one. */
function unlessForced(master: Device): Device {
  const { promiscuity, ...rest } = master;
  return promiscuity === 1 && !master.master && !master.userFlags ? rest : master;
}

/** `driver`: what the slave's driver is taken for. In net-failover a device of its own stands in for the kernel's master. */
export function slaveRig(
  takeovers: readonly Takeover[],
  driver = 'veth',
  world = new World('veth'),
  model: SteeredName = 'transparent',
): SlaveRig {
  const { path, reaper } = pinRoot();
  const store = new PinStore({ root: path, capacity: 4, shards: 1 });
  const filters = new FilterLists({ netns: world.guest });
  const ethtool = new Ethtool({ netns: world.guest });
  onTestFinished(async () => {
    store.close();
    filters.close();
    ethtool.close();
    await world.close();
    await reaper.reap();
  });
  const undo = new UndoLog(store.undo, 0, 'primary');
  let version = 0;
  const foreign: (string | undefined)[] = [];
  const master = model === 'net-failover' ? standInMaster(world) : world.guestRtnl.link('virtio0')!.ifindex;
  const device = (ifindex: number): Device => world.guestRtnl.link(ifindex)!;
  const isSlave = ({ ifindex }: Device): boolean =>
    model === 'net-failover' && [world.virtio.guestIfindex, world.vf.guestIfindex].includes(ifindex);
  const links = (): [number, Device][] =>
    world.guestRtnl.links().map((d) => [d.ifindex, isSlave(d) ? { ...d, master } : d]);
  const context = (): SlaveContext => {
    version++;
    return {
      instance: 'net0',
      traits: STEERED[model],
      role: 'primary',
      master: unlessForced(device(master)),
      slave: device(world.vf.guestIfindex),
      links: new Map(links()),
      rtnl: world.guestRtnl,
      ethtool,
      filters,
      driver: () => driver,
      groupsEither: true,
      foreignByStandby: (mac) => {
        foreign.push(mac);
      },
      netns: world.guest,
      enter: (fn) => withNetns(world.guest, fn),
      undo,
      addresses: 'remove',
      vlans: [],
      changes: rig.changes ?? {
        links: () => version,
        link: () => version,
        address: () => version,
        qdisc: () => version,
        routes: () => version,
        filters: filters.changes,
      },
    };
  };
  const told = new Map<string, readonly Shortfall[]>();
  const keeper = new SlaveKeeper({
    traits: STEERED[model],
    contexts: () => [context()],
    report: (takeover, shortfalls) => told.set(takeover, shortfalls),
    unfit: (_role, reason) => {
      throw reason;
    },
    takeovers: takeovers.map((t) => () => t),
  });
  const rig: SlaveRig = {
    world,
    keeper,
    look: () => {
      filters.stale();
      keeper.look();
    },
    context,
    changes: undefined,
    told,
    foreign,
    join: () => {
      const { early, late } = keeper.steps(context());
      const steps = [...early, ...late];
      for (const step of steps) step.do();
      return () => {
        for (const step of steps.reverse()) step.undo(false);
      };
    },
  };
  return rig;
}
