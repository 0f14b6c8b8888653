import { Epoll, monotonicNs } from 'bpf-loader-ts/sys';
import { openHole } from '../../lab/netns/hole.js';
import { Stream } from '../../lab/netns/stream.js';
import { STREAM_MAX } from '../../lab/netns/world.js';
import { STREAM_PORT } from '../../workers/traffic.js';
import { type BenchContext, CPU_A, CPU_B, pinMainThread } from '../context.js';
import { calm } from '../false-alarms.js';
import { type Instance, until, withInstance } from '../instance.js';
import { type Cut, type Figures, judgeCut, LEAD_NS } from '../outage.js';
import { type Parameters, type Row, type Target, withTargets } from '../report.js';
import { summarize } from '../stats.js';

const MIN_FRAMES = 3;
const ACK_TIMEOUT_US = 100_000;
const RATES = [20_000, 50_000];
/** T, µs, with what is asked of the time from the fault to the first frame on the standby. */
const TIMEOUTS: readonly { us: number; targets: Target[] }[] = [
  { us: 200, targets: [{ of: 'p99', atMost: 400 }] },
  { us: 500, targets: [] },
  { us: 1000, targets: [{ of: 'p99', atMost: 1500 }] },
  { us: 2000, targets: [] },
  { us: 5000, targets: [] },
];
/** The timeout at which not a single false alarm is allowed, and which is watched for longest. */
const STRICT_US = 1000;
/** Shortest that the configuration takes: a cycle must not last forever. */
const RETRY_MS = 100;
const CALM_MS = 20;
const PATIENCE_NS = 2e9;
/** A sender that was held up longer than this, of T, measured itself. */
const DISTURBED = 0.5;

/**
 * Black holes and noise: the unanswered-TX watchdog at several T. Method: requests from the guest at 20,000 and 50,000 a second, answered by
 * a BPF program at the far end (softirq, no thread); the far end of the VF's wire then drops everything both ways while its link stays
 * up. The fault begins with the first frame that is lost. Outage: from there to the first frame delivered on the standby after the last
 * loss, request and answer, the worse. False alarms: failovers for `unanswered` under mixed traffic (bench/mix.ts) while nothing is
 * broken, on a machine that does nothing else and beside an endless loop on each CPU; at T = 1 ms for a minute, with --long for ten. The
 * table of all T at the end is the watchdog's ROC.
 */
export async function silence(ctx: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  const unpin = pinMainThread(CPU_A);
  try {
    for (const timeout of TIMEOUTS) {
      rows.push(...(await stepsOf(ctx, timeout)));
      ctx.progress(`T = ${timeout.us} µs`);
    }
    ctx.progress(roc(rows));
  } finally {
    unpin();
  }
  return rows;
}

/** What is measured at one T: a step for each rate, and one for false alarms. */
function stepsOf(ctx: BenchContext, { us, targets }: (typeof TIMEOUTS)[number]): Promise<Row[]> {
  const unanswered = {
    timeout_us: us,
    ack_timeout_us: ACK_TIMEOUT_US,
    min_frames: MIN_FRAMES,
    udp: [STREAM_PORT],
    retry_ms: RETRY_MS,
    retry_max_ms: RETRY_MS,
  };
  const at = (pps: number): string => `T = ${us} µs, ${pps} pps`;
  const alarms = `T = ${us} µs, false alarms`;
  return ctx.steps.shared([...RATES.map(at), alarms], (one) =>
    withInstance(ctx, { kind: 'veth', cpu: CPU_A, detect: { unanswered } }, async (instance) => {
      instance.world.startTraffic(CPU_B);
      const stream = new Stream(instance.world);
      try {
        for (const pps of RATES)
          await one(at(pps), () => faults(ctx, { instance, stream }, us, pps, targets));
        await one(alarms, () => falseAlarms(ctx, instance, stream, us));
      } finally {
        stream.close();
      }
    }),
  );
}

async function faults(
  ctx: BenchContext,
  { instance, stream }: { instance: Instance; stream: Stream },
  us: number,
  pps: number,
  targets: Target[],
): Promise<Row[]> {
  const wanted = ctx.scale(100, 5);
  const figures: Figures[] = [];
  let early = 0;
  while (figures.length + early < wanted) {
    const r = await run(ctx, instance, stream, pps, wanted - figures.length - early);
    figures.push(...r.figures);
    early += r.early;
  }
  const prefix = `T = ${us} µs, ${pps / 1000} kpps`;
  const parameters: Parameters = {
    timeout_us: us,
    min_frames: MIN_FRAMES,
    requests_per_second: pps,
    devices: 'veth',
    switched_before_the_fault: early,
    unrecovered: figures.filter((f) => f.outageUs === null).length,
  };
  const row = (name: string, of: (f: Figures) => number | null, among: Figures[]): Row[] =>
    among.length < 2
      ? []
      : [
          {
            name: `${prefix}: ${name}`,
            unit: name === 'lost' ? 'frames' : 'µs',
            ...summarize(among.map((f) => of(f) ?? Number.POSITIVE_INFINITY)),
            parameters,
          },
        ];
  const calm = figures.filter((f) => f.senderUs <= DISTURBED * us);
  const outages = (name: string, among: Figures[]): Row[] =>
    row(name, (f) => f.outageUs, among).map((r) => (targets.length > 0 ? withTargets(r, ...targets) : r));
  return [
    ...outages('outage', figures),
    ...outages('outage (sender undisturbed)', calm),
    ...row('detection + switch', (f) => f.flippedUs, figures),
    ...row('detection + switch (sender undisturbed)', (f) => f.flippedUs, calm),
    ...row('lost', (f) => f.lostOut + f.lostIn, figures),
  ];
}

/** One stream with up to `n` faults. `early`: the instance had left the primary before the fault was made. */
async function run(
  ctx: BenchContext,
  { world, client, onPrimary }: Instance,
  stream: Stream,
  pps: number,
  n: number,
): Promise<{ figures: Figures[]; early: number }> {
  const since = (await client.request('events', { limit: 1 })).at(-1)?.seq ?? 0;
  using epoll = new Epoll();
  const none = new Int32Array(1);
  const made: Cut[] = [];
  let early = 0;
  await stream.startRequests(pps);
  while (made.length + early < n && stream.sent < STREAM_MAX - pps) {
    await until(ctx, 'a failback', onPrimary);
    await ctx.sleep(CALM_MS);
    epoll.wait(none, 1 + Math.floor(1000 * Math.random()));
    if (!onPrimary()) {
      early++;
      continue;
    }
    const orderedNs = monotonicNs();
    const hole = openHole({ netns: world.host, ifindex: world.vf.hostIfindex, direction: 'both' });
    const carriedOutNs = monotonicNs();
    do epoll.wait(none, CALM_MS * 1000);
    while (onPrimary() && monotonicNs() - orderedNs < PATIENCE_NS);
    const recovered = !onPrimary();
    await ctx.sleep(CALM_MS);
    const mendNs = monotonicNs();
    hole.close();
    made.push({ orderedNs, carriedOutNs, mendNs, endNs: 0, recovered, apartMs: Number.POSITIVE_INFINITY });
  }
  await until(ctx, 'a failback', onPrimary);
  const record = await stream.collect();
  for (const [i, cut] of made.entries())
    cut.endNs = (made[i + 1]?.orderedNs ?? record.sentAt.at(-1)! + 1 + LEAD_NS) - LEAD_NS;
  const decisions = await client.request('events', { since });
  const figures = made.map((cut) => {
    const away = decisions.find(
      (d) => d.from === 'primary' && d.flipped_ns >= cut.orderedNs && d.flipped_ns < cut.mendNs,
    );
    // Where this thread was not let in for longer than the retry, the path was tried again with the hole still open: another outage.
    const back = away && decisions.find((d) => d.to === 'primary' && d.flipped_ns > away.flipped_ns);
    const mendNs = Math.min(cut.mendNs, back?.flipped_ns ?? cut.mendNs);
    return judgeCut(record, { ...cut, mendNs }, away, false);
  });
  return { figures, early };
}

/** Mixed traffic and nothing broken, on a machine that does nothing else and beside an endless loop on each CPU. */
async function falseAlarms(
  ctx: BenchContext,
  instance: Instance,
  stream: Stream,
  us: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const busy of [false, true]) {
    const long = busy && us === STRICT_US ? (ctx.long ? 600 : 60) : 20;
    const { seconds, alarms, requests, unanswered } = await calm(
      ctx,
      instance,
      stream,
      ctx.scale(long, 4),
      busy,
    );
    const row: Row = {
      name: `T = ${us} µs: false alarms in ${seconds} s${busy ? ', both CPUs busy' : ''}`,
      unit: 'switches',
      value: alarms.length,
      parameters: {
        timeout_us: us,
        ack_timeout_us: ACK_TIMEOUT_US,
        min_frames: MIN_FRAMES,
        requests,
        requests_unanswered: unanswered,
        busy,
        evidence: alarms.slice(0, 10).map((d) => d.signal),
      },
    };
    rows.push(us >= STRICT_US ? withTargets(row, { of: 'value', atMost: 0 }) : row);
  }
  return rows;
}

/** T against detection time and false alarms, a line each: what the rows say, side by side. */
function roc(rows: readonly Row[]): string {
  const of = (name: string, key: 'p50' | 'p99' | 'value'): string => {
    const row = rows.find((r) => r.name.startsWith(name)) as Partial<Record<typeof key, number>> | undefined;
    return row?.[key] === undefined ? '-' : String(Math.round(row[key]));
  };
  const cells = [
    ['T µs', 'detection p50', 'p99 µs', 'false alarms', 'CPUs busy'],
    ...TIMEOUTS.map(({ us }) => {
      const detection = `T = ${us} µs, ${RATES[0]! / 1000} kpps: detection + switch`;
      const alarms = rows.filter((r) => r.name.startsWith(`T = ${us} µs: false alarms`));
      return [
        String(us),
        of(detection, 'p50'),
        of(detection, 'p99'),
        ...alarms.map(
          (r) => `${(r as { value: number }).value} in${/ in ([\d]+ s)/.exec(r.name)![1]!.padStart(6)}`,
        ),
      ];
    }),
  ];
  return cells.map((line) => line.map((c) => c.padStart(14)).join('')).join('\n  ');
}
