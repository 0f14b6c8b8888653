import type { ChildProcess } from 'node:child_process';
import { Epoll } from 'bpf-loader-ts/sys';
import { prepareHole } from '../../lab/netns/hole.js';
import type { Decision } from '../../src/api/index.js';
import { BfddPair } from '../bfdd-pair.js';
import { type BenchContext, CPU_A, CPU_B, hog } from '../context.js';
import { bfdOf, Fleet } from '../fleet.js';
import { type Parameters, type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

const MULTIPLIER = 3;
const RETRY_MS = 100;
const BFD = { multiplier: MULTIPLIER, retry_ms: RETRY_MS, retry_max_ms: RETRY_MS };
const CALM_MS = 100;
const PATIENCE_MS = 2000;
/** A daemon hangs up on who says nothing for five minutes. */
const PING_S = 60;
const US = 1e3;

/** Two instances of one daemon that are each other's peer. */
const pairOf = (ctx: BenchContext, us: number, cpu: number | null): Fleet =>
  new Fleet(ctx, { n: 2, peers: 'joined', cpu, detect: (m) => ({ bfd: bfdOf(m, us, BFD) }) });

const lastOf = async ({ client }: Fleet): Promise<number> =>
  (await client!.request('events', { limit: 1 })).at(-1)?.seq ?? 0;

/**
 * BFD between two of ours, 3 × 1 ms, which is less than bfdd can. Method: two instances in one network are each other's peer; the far end of
 * one's VF wire drops everything both ways from one store on. From there to the flip of either, as the programs stamped it: both count, as
 * both lose each other at once.
 */
export async function pairs(ctx: BenchContext): Promise<Row[]> {
  const us = 1000;
  const fleet = pairOf(ctx, us, null);
  try {
    await fleet.start();
    const { found, early } = await faults(ctx, fleet, us, ctx.scale(60, 3));
    const row: Row = {
      name: `BFD ${MULTIPLIER} × 1 ms, two of ours: detection + switch`,
      unit: 'µs',
      ...summarize(found),
      parameters: {
        interval_us: us,
        multiplier: MULTIPLIER,
        devices: 'veth',
        switched_before_the_fault: early,
        bfdd: 'takes 10 ms at least',
      },
    };
    return [withTargets(row, { of: 'p99', atMost: 4000 })];
  } finally {
    await fleet.close();
  }
}

async function faults(
  ctx: BenchContext,
  fleet: Fleet,
  us: number,
  n: number,
): Promise<{ found: number[]; early: number }> {
  const found: number[] = [];
  let early = 0;
  using epoll = new Epoll();
  const none = new Int32Array(1);
  const hole = prepareHole({ netns: fleet.host, ifindex: fleet.vfPort(0), direction: 'both' });
  try {
    while (found.length < 2 * n) {
      await fleet.sessionsUp();
      await ctx.sleep(CALM_MS);
      const since = await lastOf(fleet);
      epoll.wait(none, 1 + Math.floor(us * Math.random()));
      const faultNs = hole.open();
      let decisions: Decision[] = [];
      const end = performance.now() + PATIENCE_MS;
      while (decisions.length < 2 && performance.now() < end) {
        await ctx.sleep(5);
        decisions = (await fleet.client!.request('events', { since })).filter((d) => d.cause === 'bfd');
      }
      hole.mend();
      // One that had fallen before tells nothing of the fault, nor does what followed it.
      if (decisions.some((d) => d.flipped_ns < faultNs)) early++;
      else
        for (const m of fleet.members) {
          const d = decisions.find((x) => x.instance === m.name);
          found.push(d === undefined ? Number.POSITIVE_INFINITY : (d.flipped_ns - faultNs) / US);
        }
    }
  } finally {
    hole.close();
  }
  return { found, early };
}

/**
 * False alarms: sessions that fall while nothing is broken, with an endless loop on each CPU at nice 0. At the same time: two of ours at
 * 3 × 10 ms, two of bfdd's at 3 × 10 ms, and two of ours at 3 × 1 ms.
 */
export async function calmPairs(ctx: BenchContext): Promise<Row[]> {
  const seconds = ctx.long ? 600 : ctx.scale(20, 4);
  const hogs: ChildProcess[] = [];
  const ours = new Map([10_000, 1000].map((us) => [us, pairOf(ctx, us, null)]));
  let theirs: BfddPair | undefined;
  try {
    for (const fleet of ours.values()) {
      await fleet.start();
      await fleet.sessionsUp();
    }
    theirs = await BfddPair.start(ctx, 1, 10, MULTIPLIER);
    for (const cpu of new Set([CPU_A, CPU_B])) hogs.push(hog(cpu));
    await ctx.sleep(1000);
    const since = new Map<Fleet, number>();
    for (const fleet of ours.values()) since.set(fleet, await lastOf(fleet));
    const before = await theirs.falls();
    for (let left = seconds; left > 0; left -= PING_S) {
      await ctx.sleep(Math.min(left, PING_S) * 1000);
      for (const fleet of ours.values()) await fleet.client!.request('ping', {});
    }
    const rows: Row[] = [];
    for (const [us, fleet] of ours) {
      const falls = (await fleet.client!.request('events', { since: since.get(fleet)! })).filter(
        (d) => d.cause === 'bfd',
      );
      rows.push(calmRow(`two of ours, ${MULTIPLIER} × ${us / 1000} ms`, falls.length, seconds, { us }));
    }
    rows.push(
      calmRow(`two bfdd, ${MULTIPLIER} × 10 ms`, (await theirs.falls()) - before, seconds, { us: 10_000 }),
    );
    rows[0] = withTargets(rows[0]!, { of: 'value', atMost: 0 });
    return rows;
  } finally {
    for (const h of hogs) h.kill('SIGKILL');
    await theirs?.close();
    for (const fleet of ours.values()) await fleet.close();
  }
}

const calmRow = (who: string, falls: number, seconds: number, parameters: Parameters): Row => ({
  name: `BFD beside a hog on each CPU, ${seconds} s, ${who}: sessions lost`,
  unit: 'sessions',
  value: falls,
  parameters: { ...parameters, seconds, multiplier: MULTIPLIER },
});
