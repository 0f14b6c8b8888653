import { monotonicNs } from 'bpf-loader-ts/sys';
import { lossesByOrder } from '../../lab/netns/losses.js';
import { OpenVswitch } from '../../lab/netns/open-vswitch.js';
import { Stream } from '../../lab/netns/stream.js';
import { fetched } from '../../lab/vm/cache.js';
import { type BenchContext, CPU_A } from '../context.js';
import { until, withInstance } from '../instance.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

const PPS = 1000;
/** A cut and its mending take 2 to 3 s: shorter than the 10 s for which Open vSwitch caches a flow. */
const HALF_MS = 1200;
const LOST_MAX = 5;

/**
 * Frames lost behind Open vSwitch (Debian's 3.1, userspace datapath, NORMAL), of a stream of 1,000 frames/s to the guest. Method: the VF's wire is
 * cut, 1.2 s later mended, and 1.2 s later cut again. A frame counts for the cut or the mending that it was sent after. The switch runs on this
 * machine at nice -15, as one elsewhere would have its own CPU.
 */
export async function openVswitch(ctx: BenchContext): Promise<Row[]> {
  const folder = await fetched('openvswitch', 'bookworm', 'openvswitch-switch+deps');
  const cuts = ctx.scale(20, 3);
  return withInstance(
    ctx,
    { kind: 'veth', cpu: CPU_A, behind: (host) => new OpenVswitch({ folder, ...host }) },
    async ({ world, onPrimary }) => {
      world.startTraffic(null);
      const stream = new Stream(world, 1 << 17);
      try {
        await stream.start(PPS, 2);
        await ctx.sleep(HALF_MS);
        const orders: number[] = [];
        for (let i = 0; i < cuts; i++) {
          orders.push(monotonicNs());
          world.cutVf();
          await until(ctx, 'the standby', () => !onPrimary());
          await ctx.sleep(HALF_MS);
          orders.push(monotonicNs());
          world.mendVf();
          await until(ctx, 'a failback', onPrimary);
          await ctx.sleep(HALF_MS);
        }
        const record = await stream.collect();
        const { lost } = lossesByOrder(record, record.in, orders);
        const parameters = { pps: PPS, cuts, apart_ms: 2 * HALF_MS };
        const row = (name: string, odd: number): Row => ({
          name: `open vswitch, ${name}: frames lost that arrive`,
          unit: 'frames',
          parameters,
          ...summarize(lost.filter((_, i) => i % 2 === odd)),
        });
        const target = { of: 'max', atMost: LOST_MAX } as const;
        return [withTargets(row('wire cut', 0), target), withTargets(row('wire mended', 1), target)];
      } finally {
        stream.close();
      }
    },
  );
}
