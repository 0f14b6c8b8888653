import { GroupFlood, type GroupFloodResult } from '../../lab/netns/group-flood.js';
import { World } from '../../lab/netns/world.js';
import { PinStore } from '../../src/datapath/store.js';
import type { BenchContext } from '../context.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';
import { openInstance } from './flips.js';

/** Each way. */
const PPS = 200_000;
/** 20 ms at that rate: a thread that has to wait for its CPU spoils one round only. */
const FRAMES = 4000;
/** Copies that lie further apart are new frames (docs/groups.md); half of that, since the kernel's own threads wait, too, ms. */
const APART_MS = 60;

/**
 * 200,000 group frames a second each way. Method: no daemon; both slaves bring each frame, from a thread and a CPU each, and the guest sends as
 * many, of which the bridge returns a copy by the slave that did not send it. BPF at both ends records every number. Rounds of 4,000
 * frames each way. What the kernel threw away before any program of ours is in the parameters. So are rounds in which a thread waited so
 * long that copies were no longer copies: they are left out.
 */
export async function groupFlood(ctx: BenchContext): Promise<Row[]> {
  const pins = ctx.newPins();
  const world = new World('veth');
  const store = new PinStore({ root: pins, capacity: 1, shards: 1 });
  const datapath = openInstance(store, world);
  const rounds: GroupFloodResult[] = [];
  let late = 0;
  try {
    const flood = new GroupFlood(world, { frames: FRAMES, pps: PPS, master: world.virtio.guestIfindex });
    try {
      for (const wanted = ctx.scale(50, 10); rounds.length < wanted && late < 10 * wanted; ) {
        await ctx.breathe();
        const round = await flood.round();
        if (round.apartNs > APART_MS * 1e6) late++;
        else rounds.push(round);
      }
    } finally {
      await flood.close();
    }
    return rowsOf(rounds, late);
  } finally {
    datapath.remove();
    store.close();
    await world.close();
    ctx.dropPins(pins);
  }
}

function rowsOf(rounds: GroupFloodResult[], late: number): Row[] {
  if (rounds.length === 0)
    throw new Error(`a thread waited for more than ${APART_MS} ms in each of ${late} rounds`);
  const sum = (of: (r: GroupFloodResult) => number): number => rounds.reduce((s, r) => s + of(r), 0);
  const pps = summarize(rounds.map((r) => r.pps));
  const dropped = sum((r) => r.dropped);
  const parameters = {
    rounds: rounds.length,
    rounds_left_out: late,
    frames_each_way: rounds.length * FRAMES,
    pps_each_way_asked: PPS,
    pps_each_way_reached_p50: Math.round(pps.p50),
    dropped_by_kernel: dropped,
  };
  const count = (what: string, value: number): Row =>
    withTargets(
      {
        name: `group frames at ${Math.round(pps.p50 / 1000)} kpps each way: ${what}`,
        unit: 'frames',
        value,
        parameters,
      },
      { of: 'value', atMost: 0 },
    );
  return [
    count('lost', Math.max(0, sum((r) => r.in.lost + r.out.lost) - dropped)),
    count(
      'duplicated',
      sum((r) => r.in.duplicated + r.out.duplicated),
    ),
    count(
      'returned',
      sum((r) => r.returned),
    ),
    withTargets(
      { name: 'group frames each way, of the slowest sender', unit: '1/s', ...pps, parameters },
      { of: 'p50', atLeast: 0.95 * PPS },
    ),
  ];
}
