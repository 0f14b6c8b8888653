import { expect, test } from 'vitest';
import { flip } from '../../src/datapath/line.js';
import { PRIMARY, STANDBY } from '../../src/failover/device.js';
import { type GroupFloodResult, groupFlood } from '../../src/lab/group-flood.js';
import { groupScene } from '../helpers/group-scene.js';
import { word } from '../helpers/in-process.js';

const FRAMES = 100_000;
/** Copies of one frame have 117 ms; other threads run before and after what was measured. */
const APART_NS = 80e6;

test.each([
  { what: '60 bytes, the primary is active', active: PRIMARY, length: 60 },
  { what: '60 bytes, the standby is active', active: STANDBY, length: 60 },
  { what: '1,400 bytes', active: PRIMARY, length: 1400 },
])(
  'two CPUs bring the copies of 100,000 frames, the master sends as many: $what',
  async ({ active, length }) => {
    const { b } = await groupScene();
    if (active === STANDBY) flip(b.lines, b.base, word(b), STANDBY);
    const master = b.world.virtio.guestIfindex;
    let r: GroupFloodResult;
    // A machine that holds up one thread for as long as the window is no network: what it brings then counts as new.
    do {
      r = await groupFlood(b.world, { frames: FRAMES, pps: 200_000, master, length });
      console.log(JSON.stringify(r));
    } while (r.apartNs > APART_NS);
    // A frame that the kernel had no room for is nobody's loss but its own: one lost for each that it counted, at most.
    expect(r.in.lost + r.out.lost).toBeLessThanOrEqual(r.dropped);
    expect(r).toMatchObject({ in: { duplicated: 0 }, out: { duplicated: 0 }, returned: 0 });
  },
);
