import { readFileSync } from 'node:fs';
import { monotonicNs, netnsInode, withNetns } from 'bpf-loader-ts/sys';
import { Pulse } from '../../src/daemon/pulse.js';
import { openDatapath } from '../../src/datapath/datapath.js';
import { type AttachKind, attachKind } from '../../src/datapath/hooks.js';
import { PinStore } from '../../src/datapath/store.js';
import { STANDBY } from '../../src/device.js';
import { HookKeeper } from '../../src/hooks/keeper.js';
import { HOOKS_MS, HookWatch, type Watched } from '../../src/hooks/watch.js';
import { Impairments } from '../../src/impairments.js';
import { TcMonitor } from '../../src/netlink/index.js';
import type { BenchContext } from '../context.js';
import { Fleet, type Member } from '../fleet.js';
import { type Row, withTargets } from '../report.js';

const INSTANCES = 256;

/** CPU time of this thread by the scheduler's account, ns. */
const ranNs = (): number => Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]);

/**
 * What it costs to look after the programs and pins of many instances while nothing happens to them. Method: datapaths on veths in this
 * process, with the daemon's own HookWatch over them; run time of this thread while it looks, against the same time without.
 */
export async function hooks(ctx: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  const kinds: AttachKind[] = attachKind('auto') === 'tcx' ? ['tcx', 'clsact'] : ['clsact'];
  for (const kind of kinds)
    rows.push(...(await ctx.steps.one(`hooks, ${kind}`, () => step(ctx, kind, kind === kinds[0]))));
  return rows;
}

async function step(ctx: BenchContext, kind: AttachKind, judged: boolean): Promise<Row[]> {
  const fleet = new Fleet(ctx, { n: ctx.scale(INSTANCES, 32), detect: () => ({}), cpu: null });
  try {
    const row = await measure(ctx, fleet, kind);
    ctx.progress(`${row.name}: ${row.value!.toFixed(3)} ${row.unit}`);
    return [judged ? withTargets(row, { of: 'value', atMost: 0.2 }) : row];
  } finally {
    await fleet.close();
  }
}

/** A datapath over a member's devices, as the daemon would look after it. */
function steered(
  fleet: Fleet,
  store: PinStore,
  ns: Watched['ns'],
  { member, kind }: { member: Member; kind: AttachKind },
): Watched & { close(): void } {
  const ifindex = (name: string): number => fleet.guestRtnl.link(name)!.ifindex;
  const datapath = openDatapath({
    store,
    shardOf: () => 0,
    name: member.name,
    model: 'transparent',
    netns: netnsInode(fleet.guest),
    masterIfindex: ifindex(`virtio${member.index}`),
    mac: member.mac,
    attach: kind,
    active: STANDBY,
    slaveAlive: () => true,
    enter: (fn) => withNetns(fleet.guest, fn),
  });
  datapath.attachSlave('primary', ifindex(`vf${member.index}`));
  const impairments = new Impairments();
  const hooks = new HookKeeper({
    datapath,
    rtnl: fleet.guestRtnl,
    detect: { combine: 'any', carrier: 'alone' },
    impairments,
    restUsable: () => true,
    moving: () => {},
  });
  return { ns, datapath, hooks, impairments, poll: () => {}, close: () => datapath.release() };
}

async function measure(ctx: BenchContext, fleet: Fleet, kind: AttachKind): Promise<Row> {
  const n = fleet.members.length;
  const store = new PinStore({ root: ctx.newPins(), capacity: n, shards: 1 });
  const ns = { fd: fleet.guest, tc: new TcMonitor(fleet.guest) };
  const instances = fleet.members.map((member) => steered(fleet, store, ns, { member, kind }));
  const fail = (e: unknown): never => {
    throw new Error(`something is amiss with a fleet that nobody touches: ${String(e)}`);
  };
  const seconds = ctx.scale(20, 3);
  const span = async (): Promise<number> => {
    const [at, ran] = [monotonicNs(), ranNs()];
    await ctx.sleep(seconds * 1000);
    return (ranNs() - ran) / (monotonicNs() - at);
  };
  const without = await span();
  const watch = new HookWatch<Watched>({
    store,
    instances: () => instances,
    storeReport: (fault) => {
      if (fault !== '') fail(fault);
    },
    restored: fail,
    failed: (_, e) => fail(e),
  });
  watch.follow(ns);
  const pulse = new Pulse((error) => {
    throw error;
  });
  pulse.add(HOOKS_MS, () => watch.look());
  try {
    // The first looks see everything for the first time, and the code is compiled.
    await ctx.sleep(ctx.scale(10_000, 2000));
    const share = 100 * ((await span()) - without);
    return {
      name: `looking after the hooks of ${n} instances, ${kind}`,
      unit: '% of a core',
      value: share,
      parameters: {
        instances: n,
        seconds,
        us_per_instance_and_second: (share * 1e4) / n,
        percent_without: 100 * without,
      },
    };
  } finally {
    pulse.close();
    ns.tc.close();
    for (const i of instances) i.close();
    store.close();
  }
}
