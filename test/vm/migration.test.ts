import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GuestDaemon } from '../../lab/vm/daemon.js';
import { Stream } from '../../lab/vm/stream.js';
import { Testbed } from '../../lab/vm/testbed.js';
import { elapse } from '../helpers/wait.js';
import { MIGRATIONS } from './selection.js';

const BEFORE_MS = 500;
const AFTER_MS = 1_000;
/** Frames of a stream of 1,000 per second that may go beside those of the pause. Tests judge function: make bench-vm says what is lost. */
const BESIDE_THE_PAUSE = 300;

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe.each(MIGRATIONS)(
  'live migration of a guest with Linux %s, a %s as primary, %s',
  (kernel, primary, model) => {
    let bed: Testbed;
    let daemon: GuestDaemon;

    beforeAll(async () => {
      const standbyFeature = model === 'net-failover';
      bed = await Testbed.boot({ kernel, primary, standbyFeature, migratable: true });
      daemon = new GuestDaemon(bed);
      await daemon.start({ model, master: (await bed.devices()).master });
      await daemon.untilActive('primary');
    }, 240_000);
    afterAll(() => bed?.close());

    /** The streams go on; the primary leaves before and another one carries them after. */
    async function move(): Promise<void> {
      const source = bed.guest;
      const [before, after] = [bed.ports, bed.otherPorts];
      const stream = await Stream.start(bed.guest, bed.wire);
      await elapse(BEFORE_MS);
      const { pauseMs } = await bed.migrate();
      await daemon.untilActive('primary');
      await elapse(AFTER_MS);
      const report = await stream.stop(bed.guest);

      expect(bed.guest).not.toBe(source);
      expect(bed.ports).toEqual(after);
      for (const d of [report.out, report.in]) {
        const paths = d.moves.map((m) => m.to);
        expect(d.moves[0]?.from).toBe(before[1]);
        expect(paths).toContain(after[0]);
        expect(paths.at(-1)).toBe(after[1]);
        expect(d.outageMs).not.toBe(Number.POSITIVE_INFINITY);
        expect(d.lost).toBeLessThan(pauseMs + BESIDE_THE_PAUSE);
        expect(d.duplicated).toBe(0);
      }
      expect((await daemon.status()).primary).toMatchObject({ state: 'joined', carrier: true });
      expect(alive(source.pid), 'the QEMU that it came from').toBe(false);
      expect(existsSync(source.folder), 'its files').toBe(false);
    }

    test('the streams survive, another primary joins and is active', move, 180_000);
    test('and back again, to a third QEMU', move, 180_000);

    test('the daemon is the one that was started, and recorded every move', async () => {
      const pairs = (await daemon.events()).map((d) => `${d.from} → ${d.to}`);
      expect(pairs.filter((p) => p === 'primary → standby').length).toBeGreaterThanOrEqual(2);
      expect(pairs.at(-1)).toBe('standby → primary');
    });
  },
);
