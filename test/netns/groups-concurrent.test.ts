import { expect, onTestFinished, test } from 'vitest';
import { GroupFlood } from '../../lab/netns/group-flood.js';
import { flip } from '../../src/datapath/line.js';
import { type Path, PRIMARY, STANDBY } from '../../src/device.js';
import { groupScene } from '../helpers/group-scene.js';
import { word } from '../helpers/in-process.js';

/** Short rounds: a thread that has to wait for its CPU spoils one of them only. */
const FRAMES = 4000;
const ROUNDS = 10;
/** Copies of one frame have 117 ms, part of which the kernel's own threads take on a busy machine. */
const APART_NS = 30e6;
const PATIENCE_MS = 60_000;

test.each<{ what: string; active: Path; length: number }>([
  { what: '60 bytes, the primary is active', active: PRIMARY, length: 60 },
  { what: '60 bytes, the standby is active', active: STANDBY, length: 60 },
  { what: '1,400 bytes', active: PRIMARY, length: 1400 },
])(
  'two CPUs bring the copies of 40,000 frames, the master sends as many: $what',
  async ({ active, length }) => {
    const { b } = await groupScene();
    flip(b.lines, b.base, word(b), active);
    const flood = new GroupFlood(b.world, {
      frames: FRAMES,
      pps: 200_000,
      master: b.world.virtio.guestIfindex,
      length,
    });
    onTestFinished(() => flood.close());
    const until = performance.now() + PATIENCE_MS;
    for (let calm = 0; calm < ROUNDS; ) {
      const r = await flood.round();
      // What the kernel had no room for is not ours to deliver.
      expect(r.in.lost + r.out.lost).toBeLessThanOrEqual(r.dropped);
      expect(r).toMatchObject({ out: { duplicated: 0 }, returned: 0 });
      if (r.apartNs > APART_NS) {
        expect(performance.now(), 'this machine is too busy to be a network').toBeLessThan(until);
        continue;
      }
      expect(r.in.duplicated).toBe(0);
      calm++;
    }
  },
);
