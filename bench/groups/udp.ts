import { UdpSocket, withNetns } from 'bpf-loader-ts/sys';
import { GUEST_ADDRESS, HOST_ADDRESS, type World } from '../../lab/netns/world.js';
import type { UdpResult, UdpTask } from '../../workers/bench-udp.js';
import { type BenchContext, CPU_A, CPU_B } from '../context.js';
import { type Instance, SINK_PORT, Sink, teachBridge, withInstance, withPlainWorld } from '../instance.js';
import { type Parameters, type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

/** A frame of 64 bytes: 14 Ethernet, 20 IPv4, 8 UDP, these, 4 checksum (which veth leaves out). */
const PAYLOAD = 18;

const DIRECTIONS = ['guest → host', 'host → guest'] as const;
type Direction = (typeof DIRECTIONS)[number];

/** A socket at the near end, a sink at the far end. */
function flow(world: World, out: boolean): { socket: UdpSocket; sink: Sink } {
  const sink = out ? new Sink(world.host, world.bridge) : new Sink(world.guest, world.virtio.guestIfindex);
  const connectAddr = out ? HOST_ADDRESS : GUEST_ADDRESS;
  const socket = withNetns(
    out ? world.guest : world.host,
    () => new UdpSocket({ connectAddr, connectPort: SINK_PORT }),
  );
  return { socket, sink };
}

/**
 * Frames of 64 bytes per second through an instance on its VF, against the same veth wire and bridge without programs and daemon. Method:
 * one thread sends as fast as it can (sendmmsg, 64 at a time) through both in turn, slices of 50 ms in the order A B B A; a BPF program
 * at the far end counts what is delivered within the slice. On veth the sender's CPU does the receiver's work too, so the ratio is that
 * of the whole path's cost per frame.
 */
export function udp(ctx: BenchContext): Promise<Row[]> {
  const step = (direction: Direction): string => `UDP ${direction}`;
  return ctx.steps.shared(DIRECTIONS.map(step), (one) =>
    withPlainWorld('veth', (plain) =>
      withInstance(ctx, { kind: 'veth', cpu: CPU_B }, async (instance) => {
        for (const direction of DIRECTIONS)
          await one(step(direction), () => measure(ctx, instance, plain, direction));
      }),
    ),
  );
}

async function measure(
  ctx: BenchContext,
  instance: Instance,
  plain: World,
  direction: Direction,
): Promise<Row[]> {
  const rounds = ctx.scale(9, 2);
  const sliceMs = 50;
  const slices = ctx.scale(40, 10);
  const out = direction === 'guest → host';
  await teachBridge(plain);
  await teachBridge(instance.world);
  const a = flow(instance.world, out);
  const b = flow(plain, out);
  const results: UdpResult[] = [];
  const before = await instance.status();
  try {
    const side = ({ socket, sink }: typeof a) => ({ socket: socket.fd, counters: sink.fd });
    const task: UdpTask = { sides: [side(a), side(b)], cpu: CPU_A, payload: PAYLOAD, sliceMs, slices };
    for (let round = 0; round < rounds; round++) {
      ctx.check();
      results.push(await ctx.inWorker<UdpTask, UdpResult>('bench-udp', task));
      const [x, y] = results.at(-1)!.map(kpps);
      ctx.progress(
        `UDP ${direction} ${round + 1}/${rounds}: ${x!.toFixed(0)} / ${y!.toFixed(0)} kpps = ${((100 * x!) / y!).toFixed(1)} %`,
      );
    }
  } finally {
    for (const f of [a, b]) {
      f.socket.close();
      f.sink[Symbol.dispose]();
    }
  }
  const after = await instance.status();
  const carried = (s: typeof after, role: 'primary' | 'standby'): number =>
    s[role].counters[out ? 'tx' : 'rx'].packets;
  const primary = carried(after, 'primary') - carried(before, 'primary');
  const standby = carried(after, 'standby') - carried(before, 'standby');
  const parameters = {
    frame_bytes: 64,
    udp_payload: PAYLOAD,
    slice_ms: sliceMs,
    slices_per_side: slices,
    sender_cpu: CPU_A,
    daemon_cpu: CPU_B,
    frames_on_primary_percent: (100 * primary) / (primary + standby),
    delivered_percent: results[0]!.map(
      (_, i) => (100 * total(results, i, 'delivered')) / total(results, i, 'sent'),
    ),
  };
  return rowsOf(direction, results, parameters);
}

function rowsOf(direction: Direction, results: readonly UdpResult[], parameters: Parameters): Row[] {
  const ratios = results.map(([x, y]) => (100 * kpps(x!)) / kpps(y!));
  const of = (i: number) => summarize(results.map((r) => kpps(r[i]!)));
  return [
    withTargets(
      { name: `UDP 64 B ${direction}, with / without`, unit: '%', ...summarize(ratios), parameters },
      { of: 'p50', atLeast: 90 },
    ),
    { name: `UDP 64 B ${direction}, with`, unit: 'kpps', ...of(0), parameters },
    { name: `UDP 64 B ${direction}, without`, unit: 'kpps', ...of(1), parameters },
  ];
}

const kpps = ({ delivered, ns }: UdpResult[number]): number => (delivered / ns) * 1e6;

const total = (results: UdpResult[], side: number, key: 'delivered' | 'sent'): number =>
  results.reduce((sum, r) => sum + r[side]![key], 0);
