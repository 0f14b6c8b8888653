import { setTimeout as sleep } from 'node:timers/promises';
import { type DirectionReport, Stream, type StreamOptions, type StreamReport } from '../../lab/vm/stream.js';
import type { Testbed } from '../../lab/vm/testbed.js';
import { GUEST_MAC, STATION_ADDRESS } from '../../lab/vm/wire.js';
import type { Contender } from './contenders.js';

/** What one fault cost in one direction. */
export interface Cost {
  sent: number;
  lost: number;
  duplicated: number;
  reordered: number;
  /** The longest gap, ms; null: it did not recover while it was watched. */
  outage_ms: number | null;
  /** Changes of path that the frames made. */
  moves: number;
}

/** One fault, injected once. A direction in which nothing was sent is null. */
export interface Trial {
  out: Cost | null;
  in: Cost | null;
  /** How long the machine itself stood still for a migration, ms. */
  pause_ms?: number;
  /** Of a TCP stream: the longest time without progress after the fault, ms; null: it stood still when the watching ended. */
  stall_ms?: number | null;
}

export interface Fault {
  readonly name: string;
  readonly directions?: StreamOptions['directions'];
  /** Left out for contenders that cannot do it. */
  applies?(contender: Contender): boolean;
  /** Breaks the path. The stream runs. */
  inject(bed: Testbed, contender: Contender): Promise<void>;
  /** How long the stream goes on after that, ms. */
  readonly watchMs: number;
  /** Mends it, after the stream; the traffic is waited for on the primary. */
  mend?(bed: Testbed, contender: Contender): Promise<void>;
}

/** Frames per second each way. */
export const PPS = 1000;
const BEFORE_MS = 300;
export const WATCH_MS = 700;

const hole = (name: string, direction: 'both' | 'to-guest' | 'from-guest'): Fault => ({
  name,
  watchMs: WATCH_MS,
  async inject(bed) {
    bed.wire.port('primary').blackHole(direction);
  },
  async mend(bed) {
    bed.wire.port('primary').blackHole('none');
  },
});

const carrier = (name: string, directions: 'both' | 'in'): Fault => ({
  name,
  directions,
  watchMs: WATCH_MS,
  async inject(bed) {
    await bed.guest.setLink('primary', false);
  },
  async mend(bed) {
    await bed.guest.setLink('primary', true);
  },
});

export const FAULTS: readonly Fault[] = [
  carrier('carrier', 'both'),
  carrier('carrier, guest only receives', 'in'),
  hole('black hole', 'both'),
  hole('black hole, to the guest', 'to-guest'),
  hole('black hole, from the guest', 'from-guest'),
  {
    name: 'planned',
    watchMs: WATCH_MS,
    applies: (c) => c.planned !== undefined,
    async inject(bed, contender) {
      await contender.planned!(bed, 'standby');
    },
    async mend(bed, contender) {
      await contender.planned!(bed, 'primary');
    },
  },
  {
    name: 'unplug',
    watchMs: WATCH_MS,
    async inject(bed) {
      await bed.guest.unplug('primary');
    },
  },
  {
    // Follows an unplug: the device comes back.
    name: 'failback',
    watchMs: WATCH_MS,
    async inject(bed) {
      await bed.guest.plug('primary');
      await untilOnPrimary(bed, false);
    },
  },
];

/** How long the traffic may take to come back to the primary, ms: an e1000e wants 3 s for its link, bonding some more. */
const BACK_MS = 20_000;

/** Between two frames of a guest that is asked where it is, ms: another guest is measured meanwhile. */
const ASK_MS = 200;

/** Waits until the guest's frames come by the primary; `ask`: it has nothing else to send. */
export async function untilOnPrimary(bed: Testbed, ask = true): Promise<void> {
  await bed.until(
    'the traffic is on the primary',
    async () => {
      if (ask) await bed.guest.exec(`ping -c 1 -W 1 ${STATION_ADDRESS}`);
      if (bed.wire.entries.get(GUEST_MAC) === bed.ports[1]) return true;
      await sleep(ask ? ASK_MS : 0);
      return false;
    },
    BACK_MS,
  );
}

/** Streams, breaks, watches; in a turn of its own. */
export async function trial(bed: Testbed, contender: Contender, fault: Fault): Promise<Trial> {
  const directions = fault.directions ?? 'both';
  const stream = await Stream.start(bed.guest, bed.wire, { pps: PPS, directions });
  let report: StreamReport;
  try {
    await sleep(BEFORE_MS);
    // A false alarm just before would make the fault cost nothing.
    if (directions === 'both' && fault.name !== 'failback') await untilOnPrimary(bed, false);
    await fault.inject(bed, contender);
    await sleep(fault.watchMs);
  } finally {
    report = await stream.stop(bed.guest);
  }
  return {
    out: directions === 'in' ? null : cost(report.out),
    in: cost(report.in),
  };
}

/** Makes good what a trial broke, and waits for the traffic to come back to the primary: seconds of mere waiting. */
export async function mend(bed: Testbed, contender: Contender, fault: Fault): Promise<void> {
  await fault.mend?.(bed, contender);
  if (fault.name !== 'unplug') await untilOnPrimary(bed);
}

export function cost(d: DirectionReport): Cost {
  return {
    sent: d.sent,
    lost: d.lost,
    duplicated: d.duplicated,
    reordered: d.reordered,
    outage_ms: Number.isFinite(d.outageMs) ? Math.round(d.outageMs * 10) / 10 : null,
    moves: d.moves.length,
  };
}
