import { Epoll, monotonicNs } from 'bpf-loader-ts/sys';
import { Stream } from '../../lab/netns/stream.js';
import type { StreamKind } from '../../lab/netns/stream-kinds.js';
import type { WireKind } from '../../lab/netns/wire.js';
import { STREAM_MAX } from '../../lab/netns/world.js';
import { type BenchContext, CPU_A, CPU_B, pinMainThread } from '../context.js';
import { type Instance, type InstanceOptions, until, withInstance } from '../instance.js';
import { type Cut, type Figures, judgeCut, LEAD_NS } from '../outage.js';
import type { Row } from '../report.js';
import { type Batch, batchName, type Mode, rowsOf } from './carrier-rows.js';

const PPS = 100_000;
/** How long a path stays cut, and the calm after a failback, ms: together with the failback a cycle of some 50 ms. */
const CUT_MS = 20;
const CALM_MS = 25;
/** A cut without a failover is given up after this, ns. */
const PATIENCE_NS = 2e9;
/** Cuts of one stream; it must not outgrow its record. */
const PER_STREAM = 100;
/** The distance that keeps a cut out of linkwatch's one-second limit. */
const APART_MS = 1050;

const MODES: readonly (Mode & Pick<InstanceOptions, 'wait' | 'tier0'>)[] = [
  {
    name: 'tier 0',
    tier: 0,
    wait: 'epoll',
    tier0: true,
    directions: [1, 3],
    kinds: ['ipv6', 'group'],
    outage: [{ of: 'p99', atMost: 200 }],
  },
  {
    name: 'worker epoll 1 ms',
    tier: 1,
    wait: 'epoll',
    tier0: false,
    directions: [1],
    outage: [{ of: 'p50', atMost: 1500 }],
  },
  {
    name: 'worker poll 1 ms',
    tier: 1,
    wait: 'poll',
    tier0: false,
    directions: [1],
    outage: [{ of: 'p50', atMost: 1500 }],
  },
  {
    name: 'worker spin',
    tier: 1,
    wait: 'spin',
    tier0: false,
    directions: [1],
    outage: [{ of: 'p50', atMost: 100 }],
  },
];

/**
 * Outage of a carrier fault, microseconds, and frames lost. Method: a numbered stream of 100,000 frames/s from the guest (or each way), sent
 * by a thread on one CPU, received and stamped by BPF at the far end; daemon and cutter on the other CPU (a spinning worker has that one to
 * itself; the cutter then runs beside the sender). Again and again the VF's wire
 * is cut with its carrier, left cut for 20 ms, mended, failed back at once (hold-down 0), 25 ms of calm. The cutter adds up to a millisecond
 * of chance so as not to march in step with a polling worker, then sleeps: in the timed part nobody asks the daemon anything. What
 * the daemon decided, and when, is fetched afterwards. Most cuts come within a second of the last change of carrier, where the
 * kernel's own notifications are late; others wait until it is over.
 */
export async function carrier(ctx: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  for (const mode of MODES) {
    // A worker that spins has its CPU to itself, which is what that mode is for.
    const unpin = pinMainThread(mode.wait === 'spin' ? CPU_B : CPU_A);
    try {
      for (const kind of ['veth', 'tap'] as const) rows.push(...(await batches(ctx, mode, kind)));
    } finally {
      unpin();
    }
  }
  return rows;
}

/** The batches of one mode on one kind of device: a step each. */
function batches(ctx: BenchContext, mode: (typeof MODES)[number], kind: WireKind): Promise<Row[]> {
  const all = batchesOf(mode).map(([directions, of]) => ({
    directions,
    of,
    name: batchName(kind, mode, directions, of),
  }));
  const setUp = { kind, wait: mode.wait!, tier0: mode.tier0!, cpu: CPU_A };
  return ctx.steps.shared(
    all.map(({ name }) => name),
    (one) =>
      withInstance(ctx, setUp, async (instance) => {
        instance.world.startTraffic(CPU_B);
        const stream = new Stream(instance.world);
        try {
          for (const { directions, of, name } of all)
            await one(name, async () => {
              const batch = await measure({ ctx, instance, stream, directions, of });
              ctx.progress(`${name}: ${batch.figures.length} cuts`);
              return rowsOf(kind, mode, directions, of, batch);
            });
        } finally {
          stream.close();
        }
      }),
  );
}

/** Directions and kinds of a mode's streams: other kinds than IPv4 go both ways. */
const batchesOf = (mode: Mode): [1 | 3, StreamKind][] => [
  ...mode.directions.map((d): [1 | 3, StreamKind] => [d, 'ipv4']),
  ...(mode.kinds ?? []).map((of): [3, StreamKind] => [3, of]),
];

/** What a batch is measured on. */
interface Scene {
  ctx: BenchContext;
  instance: Instance;
  stream: Stream;
  directions: 1 | 3;
  of: StreamKind;
}

async function measure(scene: Scene): Promise<Batch> {
  const { ctx, directions, of } = scene;
  const batch: Batch = {
    figures: [],
    pps: PPS,
    achievedPps: [],
    duplicated: 0,
    reordered: 0,
    lostElsewhere: 0,
    refused: 0,
  };
  const link = { changedNs: Number.NEGATIVE_INFINITY };
  const dense = of === 'ipv4' ? ctx.scale(200, 10) : ctx.scale(50, 10);
  while (batch.figures.length < dense)
    await run(scene, Math.min(PER_STREAM, dense - batch.figures.length), link, batch);
  const apart = directions === 1 ? ctx.scale(20, 1) : 0;
  for (let i = 0; i < apart; i++) {
    await ctx.sleep(Math.max(0, APART_MS - (monotonicNs() - link.changedNs) / 1e6));
    await run(scene, 1, link, batch);
  }
  return batch;
}

/** One stream with up to `cuts` cuts, and their judgement. */
async function run(
  { ctx, instance: { world, client, onPrimary }, stream, directions, of }: Scene,
  cuts: number,
  link: { changedNs: number },
  batch: Batch,
): Promise<void> {
  const since = (await client.request('events', { limit: 1 })).at(-1)?.seq ?? 0;
  using epoll = new Epoll();
  const none = new Int32Array(1);
  const made: Cut[] = [];
  await stream.start(PPS, directions, of);
  const started = monotonicNs();
  await ctx.sleep(CALM_MS);
  while (made.length < cuts && stream.sent < STREAM_MAX - PPS / 5) {
    epoll.wait(none, 1 + Math.floor(1000 * Math.random()));
    const orderedNs = monotonicNs();
    world.cutVf();
    const carriedOutNs = monotonicNs();
    // Asleep: this CPU is the daemon's.
    do epoll.wait(none, CUT_MS * 1000);
    while (onPrimary() && monotonicNs() - orderedNs < PATIENCE_NS);
    const recovered = !onPrimary();
    const mendNs = monotonicNs();
    world.mendVf();
    await until(ctx, 'a failback', onPrimary);
    await ctx.sleep(CALM_MS);
    made.push({
      orderedNs,
      carriedOutNs,
      mendNs,
      endNs: monotonicNs(),
      recovered,
      apartMs: (orderedNs - link.changedNs) / 1e6,
    });
    link.changedNs = mendNs;
  }
  const seconds = (monotonicNs() - started) / 1e9;
  batch.achievedPps.push(stream.sent / seconds);
  const record = await stream.collect();
  // A cut's calm ends where the next one's window begins.
  for (const [i, cut] of made.entries())
    cut.endNs = (made[i + 1]?.orderedNs ?? Number.POSITIVE_INFINITY) - LEAD_NS;
  if (made.length > 0) made.at(-1)!.endNs = record.sentAt.at(-1)! + 1;
  const decisions = (await client.request('events', { since })).filter((d) => d.from === 'primary');
  const figures: Figures[] = made.map((cut) => {
    const decision = decisions.find((d) => d.flipped_ns >= cut.orderedNs && d.flipped_ns < cut.mendNs);
    return judgeCut(record, cut, decision, world.kind === 'tap');
  });
  batch.figures.push(...figures);
  batch.duplicated += record.out.duplicated + record.in.duplicated;
  batch.reordered += record.out.reordered + record.in.reordered;
  batch.refused += record.refused;
  const lost = record.out.times.length - record.out.received + record.in.times.length - record.in.received;
  batch.lostElsewhere += lost - figures.reduce((n, f) => n + f.lostOut + f.lostIn + f.failbackLost, 0);
}
