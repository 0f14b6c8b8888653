import { Epoll, monotonicNs, netnsInode, withNetns } from 'bpf-loader-ts/sys';
import { Stream } from '../../lab/netns/stream.js';
import type { StreamKind } from '../../lab/netns/stream-kinds.js';
import type { WireKind } from '../../lab/netns/wire.js';
import { GUEST_MAC, STREAM_MAX, World } from '../../lab/netns/world.js';
import { type Datapath, openDatapath } from '../../src/datapath/datapath.js';
import { attachKind } from '../../src/datapath/hooks.js';
import { flip, lineBase, pathOf, readWord } from '../../src/datapath/line.js';
import { PinStore } from '../../src/datapath/store.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { type BenchContext, CPU_A, CPU_B, pinMainThread } from '../context.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

/** Each way. */
const PPS = 60_000;
const INTERVAL_NS = 200_000;
/** Flips of one stream: some five seconds. */
const PER_STREAM = 25_000;

interface Total {
  flips: number;
  sent: number;
  lost: number;
  duplicated: number;
  reordered: number;
  /** Frames that came back to their sender. */
  returned: number;
  refused: number;
  /** Flips per second of each stream. */
  rates: number[];
  /** Frames by path: out on the primary, out on the standby, in on them. */
  paths: [number, number, number, number];
}

/** The datapath of an instance without a daemon: nothing but the test decides. */
export function openInstance(store: PinStore, world: World): Datapath {
  const datapath = openDatapath({
    store,
    shardOf: () => 0,
    name: 'flips',
    model: 'transparent',
    netns: netnsInode(world.guest),
    masterIfindex: world.virtio.guestIfindex,
    mac: GUEST_MAC,
    attach: attachKind('auto'),
    active: STANDBY,
    slaveAlive: () => true,
    enter: (fn) => withNetns(world.guest, fn),
  });
  world.guestRtnl.setLink(world.vf.guestIfindex, { addrGenMode: 1 });
  datapath.attachSlave('primary', world.vf.guestIfindex);
  world.guestRtnl.setLink(world.vf.guestIfindex, { up: true });
  return datapath;
}

/**
 * Planned flips under traffic: frames lost, duplicated, reordered. Method: no daemon; the steering word is flipped through the map's
 * memory every 200 µs, from primary to standby and back, while a numbered stream runs both ways; BPF at both ends records every
 * sequence number. Nothing is left out: frames of all streams from the first to the last. IPv6 and a group beside IPv4: the bridge brings
 * a group's frames by both slaves, and the guest's own back to it.
 */
export async function flips(ctx: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of ['veth', 'tap'] as const)
    for (const stream of ['ipv4', 'ipv6', 'group'] as const)
      rows.push(
        ...(await ctx.steps.one(`${kind}, ${stream}`, async () =>
          rowsOf(kind, stream, await measure(ctx, kind, stream)),
        )),
      );
  return rows;
}

async function measure(ctx: BenchContext, kind: WireKind, of: StreamKind): Promise<Total> {
  const total: Total = {
    flips: 0,
    sent: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    returned: 0,
    refused: 0,
    rates: [],
    paths: [0, 0, 0, 0],
  };
  // The target is about IPv4 on veth. Taps, where both wires are carried by a thread, and other kinds of frames get a tenth.
  const wanted = ctx.scale(kind === 'veth' && of === 'ipv4' ? 100_000 : 10_000, 2000);
  const pins = ctx.newPins();
  const world = new World(kind);
  const store = new PinStore({ root: pins, capacity: 1, shards: 1 });
  const unpin = pinMainThread(CPU_A);
  let datapath: Datapath | undefined;
  let stream: Stream | undefined;
  try {
    datapath = openInstance(store, world);
    world.startTraffic(CPU_B);
    stream = new Stream(world);
    while (total.flips < wanted) {
      await one(ctx, { store, datapath, stream, of }, Math.min(PER_STREAM, wanted - total.flips), total);
      ctx.progress(
        `${kind}, ${of}: ${total.flips} flips, ${total.sent} frames: ${total.lost} lost, ${total.duplicated} duplicated, ${total.reordered} reordered`,
      );
    }
    return total;
  } finally {
    unpin();
    stream?.close();
    datapath?.remove();
    store.close();
    await world.close();
    ctx.dropPins(pins);
  }
}

async function one(
  ctx: BenchContext,
  lab: { store: PinStore; datapath: Datapath; stream: Stream; of: StreamKind },
  count: number,
  total: Total,
): Promise<void> {
  const { store, datapath, stream } = lab;
  const { lines } = store;
  const base = lineBase(datapath.slot);
  using epoll = new Epoll();
  const none = new Int32Array(1);
  const paths = (): number[] => {
    const [p, s] = [datapath.counters(PRIMARY), datapath.counters(STANDBY)];
    return [p.tx.packets, s.tx.packets, p.rx.packets, s.rx.packets];
  };
  const before = paths();
  await stream.start(PPS, 3, lab.of);
  const started = monotonicNs();
  let due = started;
  let done = 0;
  while (done < count && stream.sent < STREAM_MAX - PPS / 10) {
    const word = readWord(lines, base);
    if (!flip(lines, base, word, pathOf(word) === PRIMARY ? STANDBY : PRIMARY))
      throw new Error('somebody else flipped the word');
    done++;
    if (done % 500 === 0) await ctx.breathe();
    due = Math.max(due + INTERVAL_NS, monotonicNs());
    // The timer is some 50 µs late; to be early by that keeps the rate.
    const rest = (due - monotonicNs()) / 1000 - 50;
    if (rest >= 1) epoll.wait(none, Math.floor(rest));
    while (monotonicNs() < due);
  }
  total.rates.push(done / ((monotonicNs() - started) / 1e9));
  await ctx.sleep(10);
  const record = await stream.collect();
  total.flips += done;
  for (const { times, received, duplicated, reordered, returned } of [record.out, record.in]) {
    total.sent += times.length;
    total.lost += times.length - received;
    total.duplicated += duplicated;
    total.reordered += reordered;
    total.returned += returned;
  }
  total.refused += record.refused;
  for (const [i, n] of paths().entries()) total.paths[i]! += n - before[i]!;
}

function rowsOf(kind: WireKind, of: StreamKind, t: Total): Row[] {
  // Rows of plain IPv4 keep their names over the versions.
  const prefix = of === 'ipv4' ? kind : `${kind}, ${of}`;
  const parameters = {
    flips: t.flips,
    frames_both_ways: t.sent,
    pps_each_way: PPS,
    refused_by_kernel: t.refused,
    frames_by_path: {
      out_primary: t.paths[0],
      out_standby: t.paths[1],
      in_primary: t.paths[2],
      in_standby: t.paths[3],
    },
  };
  const count = (name: 'lost' | 'duplicated' | 'reordered' | 'returned'): Row =>
    withTargets(
      { name: `${prefix}, ${t.flips} flips: ${name}`, unit: 'frames', value: t[name], parameters },
      { of: 'value', atMost: 0 },
    );
  return [
    count('lost'),
    count('duplicated'),
    count('reordered'),
    ...(of === 'group' ? [count('returned')] : []),
    { name: `${prefix}, flips per second`, unit: '1/s', ...summarize(t.rates), parameters },
  ];
}
