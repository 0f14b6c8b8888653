import { setTimeout as sleep } from 'node:timers/promises';
import { Stream } from '../../lab/vm/stream.js';
import type { Testbed } from '../../lab/vm/testbed.js';
import type { Moment } from '../../lab/vm/timeline.js';
import { account } from './account.js';
import type { Contender } from './contenders.js';
import { cost, PPS, type Trial, untilOnPrimary } from './faults.js';

/** A live migration between two QEMU processes: the primary is unplugged, the machine moves, another primary is plugged in. */
export const MIGRATION = { name: 'migration' };

const BEFORE_MS = 500;
const AFTER_MS = 1_000;

/** One migration, there or back, of a guest in which the contender runs. `tell` takes an account of what happened. */
export async function migrationTrial(
  bed: Testbed,
  contender: Contender,
  tell?: (text: string) => void,
): Promise<Trial> {
  await untilOnPrimary(bed);
  const stream = await Stream.start(bed.guest, bed.wire, { pps: PPS });
  await sleep(BEFORE_MS);
  // As whoever drives a migration can do where the guest takes orders: off the primary before it is pulled.
  await contender.planned?.(bed, 'standby');
  const { timeline, pauseMs } = await bed.migrate();
  await contender.planned?.(bed, 'primary');
  await untilOnPrimary(bed, false);
  timeline.note('the traffic is on the primary');
  await sleep(AFTER_MS);
  const report = await stream.stop(bed.guest);
  timeline.close();
  if (tell) {
    const decisions: Moment[] = ((await contender.decisions?.()) ?? []).map((d) => ({
      atNs: report.hostNs(d.flipped_ns),
      what: `guest: ${d.from} → ${d.to}, ${d.cause}`,
    }));
    tell(account(bed, timeline, report, decisions));
  }
  return { out: cost(report.out), in: cost(report.in), pause_ms: Math.round(pauseMs * 10) / 10 };
}
