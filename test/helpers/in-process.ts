import { netnsCookie, netnsInode, withNetns } from 'bpf-loader-ts/sys';
import { onTestFinished } from 'vitest';
import { Reaper } from '../../lab/netns/reaper.js';
import { Stream } from '../../lab/netns/stream.js';
import type { WireKind } from '../../lab/netns/wire.js';
import { GUEST_MAC, World } from '../../lab/netns/world.js';
import { type Datapath, openDatapath } from '../../src/datapath/datapath.js';
import { attachKind } from '../../src/datapath/hooks.js';
import { lineBase } from '../../src/datapath/line.js';
import { LINE } from '../../src/datapath/offsets.js';
import type { ProgramVariables } from '../../src/datapath/program-loader.js';
import { PinStore } from '../../src/datapath/store.js';
import { STANDBY } from '../../src/device.js';
import type { SteeredName } from '../../src/models/table.js';
import { until } from './wait.js';

let made = 0;
/** A folder for pins that is gone when the test, or the process, is. */
export function pinRoot(): { path: string; reaper: Reaper } {
  const path = `/sys/fs/bpf/vft-${process.pid}-${++made}`;
  return { path, reaper: new Reaper(path) };
}

/** A world with the datapath and no daemon: the test is the worker. */
export interface Bench {
  world: World;
  store: PinStore;
  datapath: Datapath;
  lines: Int32Array;
  base: number;
  /** Made when it is first asked for: its thread takes more than a second to start in a guest. */
  stream(): Stream;
}

/** Until the kernel has noticed the carrier of a device, that throws away what it is given and its bridge forwards nothing. */
const untilCarrier = ({ vf, virtio, guestRtnl, hostRtnl }: World): Promise<unknown> =>
  until(
    () => [vf, virtio].flatMap((w) => [guestRtnl.link(w.guestIfindex)!, hostRtnl.link(w.hostIfindex)!]),
    (ends) => ends.every((d) => d.carrier && !d.operstate.endsWith('down')),
  );

/** In place of the kernel's failover master, which takes a VM: a device of its own, so that both slaves are others'. */
export function standInMaster({ guestRtnl }: World): number {
  const { ifindex } = guestRtnl.createVeth({ name: 'master0', mac: GUEST_MAC, peer: { name: 'master0p' } });
  for (const name of ['master0', 'master0p']) guestRtnl.setLink(guestRtnl.link(name)!.ifindex, { up: true });
  return ifindex;
}

export async function inProcess(
  kind: WireKind,
  attach = attachKind('auto'),
  variables: ProgramVariables = {},
  model: SteeredName = 'transparent',
): Promise<Bench> {
  const world = new World(kind);
  const { path, reaper } = pinRoot();
  onTestFinished(async () => {
    await world.close();
    await reaper.reap();
  });
  const store = new PinStore({ root: path, capacity: 4, shards: 1 });
  onTestFinished(() => store.close());
  const masterIfindex = model === 'transparent' ? world.virtio.guestIfindex : standInMaster(world);
  const datapath = openDatapath({
    store,
    shardOf: () => 0,
    name: 'net0',
    model,
    netns: netnsInode(world.guest),
    netnsCookie: netnsCookie(world.guest) ?? 0n,
    masterIfindex,
    mac: GUEST_MAC,
    attach,
    variables,
    active: STANDBY,
    slaveAlive: () => true,
    enter: (fn) => withNetns(world.guest, fn),
  });
  onTestFinished(() => datapath.release());
  datapath.attachSlave('primary', world.vf.guestIfindex);
  if (model === 'net-failover') datapath.attachSlave('standby', world.virtio.guestIfindex);
  world.guestRtnl.setLink(world.vf.guestIfindex, { up: true });
  // The thread of the traffic is also the cable between taps.
  if (kind === 'tap') world.startTraffic(null);
  await untilCarrier(world);
  let stream: Stream | undefined;
  onTestFinished(() => stream?.close());
  return {
    world,
    store,
    datapath,
    lines: store.lines,
    base: lineBase(datapath.slot),
    stream: () => {
      if (stream === undefined) {
        if (kind !== 'tap') world.startTraffic(null);
        stream = new Stream(world, 1 << 17);
      }
      return stream;
    },
  };
}

export const word = ({ lines, base }: Bench): number => lines[base + LINE.word]!;
