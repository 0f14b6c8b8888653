import { describe, expect, test } from 'vitest';
import { STREAM_KINDS } from '../../lab/netns/stream-kinds.js';
import { flip } from '../../src/datapath/line.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { inProcess, word } from '../helpers/in-process.js';
import { elapse } from '../helpers/wait.js';

/** Numbered streams of every kind: over IPv6, to groups, tagged, and of another MAC than the master's. */

const PPS = 5000;
const FLIPS = 10;

const PERFECT = { lost: 0, duplicated: 0, reordered: 0, foreign: 0, returned: 0 };

describe.each(['veth', 'tap'] as const)('on %s', (devices) => {
  test.each(STREAM_KINDS)('each frame arrives once each way over planned flips: %s', async (kind) => {
    const b = await inProcess(devices);
    flip(b.lines, b.base, word(b), PRIMARY);
    const stream = b.stream();
    await stream.start(PPS, 3, kind);
    for (let i = 0; i < FLIPS; i++) {
      await elapse(20);
      flip(b.lines, b.base, word(b), i % 2 ? PRIMARY : STANDBY);
    }
    await elapse(20);
    const r = await stream.stop();
    expect(r.sent).toBeGreaterThan(100);
    expect({ out: r.out, in: r.in, refused: r.refused }).toMatchObject({
      out: PERFECT,
      in: PERFECT,
      refused: 0,
    });
  });
});
