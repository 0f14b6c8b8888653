import { setTimeout as sleep } from 'node:timers/promises';
import { Stream } from '../../test/vm/lab/stream.js';
import { Testbed, type TestbedOptions } from '../../test/vm/lab/testbed.js';
import type { Contender } from './contenders.js';
import { cost, PPS, type Trial, untilOnPrimary } from './faults.js';

/** A live migration between two QEMU processes: the primary is unplugged, the machine moves, another primary is plugged in. */
export const MIGRATION = { name: 'migration' };

const BEFORE_MS = 500;
const AFTER_MS = 1_000;

/** One migration of a guest of its own. */
export async function migrationTrial(options: TestbedOptions, contender: Contender): Promise<Trial> {
  await using bed = await Testbed.boot({
    ...options,
    standbyFeature: contender.standbyFeature,
    migratable: true,
  });
  await contender.start(bed);
  await untilOnPrimary(bed);
  const stream = await Stream.start(bed.guest, bed.wire, { pps: PPS });
  await sleep(BEFORE_MS);
  const { pauseMs } = await bed.migrate();
  await untilOnPrimary(bed, false, 'primary-2');
  await sleep(AFTER_MS);
  const report = await stream.stop(bed.guest);
  return { out: cost(report.out), in: cost(report.in), pause_ms: pauseMs };
}
