import { iperf, outputOf } from '../../lab/netns/iperf.js';
import { GUEST_ADDRESS, HOST_ADDRESS, type World } from '../../lab/netns/world.js';
import { type BenchContext, CPU_A, CPU_B } from '../context.js';
import { type Instance, until, withInstance, withPlainWorld } from '../instance.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

const DIRECTIONS = ['guest → host', 'host → guest'] as const;
type Direction = (typeof DIRECTIONS)[number];
const PORT = 5201;

interface IperfReport {
  end: { sum_received: { bits_per_second: number } };
}

/** One transfer; what the receiver got, Gb/s. Sender on CPU_A, receiver on CPU_B. */
async function transfer(
  ctx: BenchContext,
  world: World,
  direction: Direction,
  seconds: number,
): Promise<number> {
  const out = direction === 'guest → host';
  const { signal } = ctx;
  const server = iperf(out ? world.host : world.guest, ['-s', '-1', '--forceflush', '-p', String(PORT)], {
    cpu: CPU_B,
    signal,
  });
  const ended = outputOf(server);
  // If the client fails, that is the error to report.
  ended.catch(() => {});
  try {
    let said = '';
    server.stdout!.on('data', (b: Buffer) => (said += b.toString()));
    await until(ctx, 'an iperf3 server', () => said.includes('listening'));
    const to = out ? HOST_ADDRESS : GUEST_ADDRESS;
    const args = ['-c', to, '-p', String(PORT), '-t', String(seconds), '-J'];
    const client = iperf(out ? world.guest : world.host, args, { cpu: CPU_A, signal });
    const report = JSON.parse(await outputOf(client)) as IperfReport;
    await ended;
    return report.end.sum_received.bits_per_second / 1e9;
  } finally {
    server.kill('SIGKILL');
  }
}

/** Frames that the instance's primary carried so far, both ways. */
async function primaryFrames({ status }: Instance): Promise<{ primary: number; standby: number }> {
  const { primary, standby } = await status();
  const of = (c: typeof primary.counters): number => c.tx.packets + c.rx.packets;
  return { primary: of(primary.counters), standby: of(standby.counters) };
}

/**
 * TCP throughput through an instance on its VF, against the same veth wire and bridge without programs and daemon. Method: iperf3, one
 * connection, sender on one CPU and receiver on the other, alternately with and without (and the order turned round every time); each
 * round gives one ratio. While the side without is measured, the daemon is stopped (SIGSTOP): it must not slow down what it is
 * compared with.
 */
export function tcp(ctx: BenchContext): Promise<Row[]> {
  const step = (direction: Direction): string => `TCP ${direction}`;
  return ctx.steps.shared(DIRECTIONS.map(step), (one) =>
    withPlainWorld('veth', (plain) =>
      withInstance(ctx, { kind: 'veth', cpu: null }, async (instance) => {
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
  const rounds = ctx.scale(11, 1);
  const seconds = ctx.scale(2, 1);
  const withIt: number[] = [];
  const without: number[] = [];
  const before = await primaryFrames(instance);
  const sides = [
    async () => void withIt.push(await transfer(ctx, instance.world, direction, seconds)),
    async () => {
      process.kill(instance.daemon.pid!, 'SIGSTOP');
      try {
        without.push(await transfer(ctx, plain, direction, seconds));
      } finally {
        process.kill(instance.daemon.pid!, 'SIGCONT');
      }
    },
  ];
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) await side();
    const ratio = (100 * withIt.at(-1)!) / without.at(-1)!;
    ctx.progress(
      `TCP ${direction} ${round + 1}/${rounds}: ${withIt.at(-1)!.toFixed(2)} / ${without.at(-1)!.toFixed(2)} Gb/s = ${ratio.toFixed(1)} %`,
    );
  }
  const after = await primaryFrames(instance);
  const primary = after.primary - before.primary;
  const parameters = {
    tool: 'iperf3, one connection',
    seconds,
    sender_cpu: CPU_A,
    receiver_cpu: CPU_B,
    daemon: 'running, not pinned; stopped while the side without is measured',
    frames_on_primary_percent: (100 * primary) / (primary + after.standby - before.standby),
  };
  const ratios = withIt.map((x, i) => (100 * x) / without[i]!);
  return [
    withTargets(
      { name: `TCP ${direction}, with / without`, unit: '%', ...summarize(ratios), parameters },
      { of: 'p50', atLeast: 97 },
    ),
    { name: `TCP ${direction}, with`, unit: 'Gb/s', ...summarize(withIt), parameters },
    { name: `TCP ${direction}, without`, unit: 'Gb/s', ...summarize(without), parameters },
  ];
}
