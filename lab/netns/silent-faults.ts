import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNs } from 'bpf-loader-ts/sys';
import type { Decision } from '../../src/api/index.js';
import {
  broken,
  decisionsAfter,
  type FaultRow,
  failoverAfter,
  lastSeq,
  now,
  type Scene,
  SETTLE_MS,
  untilActive,
} from './faults.js';
import { type HoleOptions, openHole } from './hole.js';

/** Faults that the link does not show, or shows too often. */

/** Share of frames that `lossy` loses, each way. */
const LOSS = 0.3;
/** How often `flap` takes carrier, and for how long it takes and gives it, ms: less than the demo's hold-down. */
const FLAPS = 8;
const FLAP_MS = 20;

const holeIn = ({ world }: Scene, o: Pick<HoleOptions, 'direction' | 'loss'>): { close(): void } =>
  openHole({ netns: world.host, ifindex: world.vf.hostIfindex, ...o });

/** The far end swallows frames, the link stays up. */
async function swallowed(
  scene: Scene,
  fault: string,
  direction: HoleOptions['direction'],
): Promise<FaultRow> {
  const seq = await lastSeq(scene);
  let hole: { close(): void } | undefined;
  try {
    return await broken(scene, {
      fault,
      immediate: false,
      requests: true,
      breakIt: () => {
        const at = monotonicNs();
        hole = holeIn(scene, { direction });
        return at;
      },
      judge: () => failoverAfter(scene, seq),
    });
  } finally {
    hole?.close();
    await untilActive(scene, 'primary');
  }
}

export const blackHole = (scene: Scene): Promise<FaultRow> => swallowed(scene, 'black-hole', 'both');

/** What the guest sends is swallowed. */
export const oneWayTx = (scene: Scene): Promise<FaultRow> => swallowed(scene, 'one-way tx', 'from-guest');
/** What it is sent. */
export const oneWayRx = (scene: Scene): Promise<FaultRow> => swallowed(scene, 'one-way rx', 'to-guest');

/** Three frames of ten are lost each way. That is no reason to leave, unless the instance is a strict one. */
async function lossyPath(
  scene: Scene,
  fault: string,
  decision: (seq: number) => Promise<Decision | undefined>,
): Promise<FaultRow> {
  const seq = await lastSeq(scene);
  let hole: { close(): void } | undefined;
  try {
    return await broken(scene, {
      fault,
      immediate: true,
      requests: true,
      breakIt: async () => {
        const at = now(() => {
          hole = holeIn(scene, { direction: 'both', loss: LOSS });
        });
        await sleep(4 * SETTLE_MS);
        return at;
      },
      judge: () => decision(seq),
    });
  } finally {
    hole?.close();
    await untilActive(scene, 'primary');
  }
}

export const lossy = (scene: Scene): Promise<FaultRow> =>
  lossyPath(scene, 'lossy', async (seq) => (await decisionsAfter(scene, seq))[0]);

/** The same by an instance whose probes take two missing answers in a row for a fault. */
export const lossyStrict = (scene: Scene): Promise<FaultRow> =>
  lossyPath(scene, 'lossy strict', (seq) => failoverAfter(scene, seq));

/** Carrier comes and goes. The hold-down keeps the switches few: there, and back when it is over. */
export async function flap(scene: Scene): Promise<FaultRow> {
  const seq = await lastSeq(scene);
  const { world } = scene;
  const r = await broken(scene, {
    fault: 'flap',
    immediate: world.kind === 'tap',
    breakIt: async () => {
      const at = now(() => world.cutVf());
      for (let i = 1; i < FLAPS; i++) {
        await sleep(FLAP_MS);
        world.mendVf();
        await sleep(FLAP_MS);
        world.cutVf();
      }
      return at;
    },
    judge: () => failoverAfter(scene, seq),
  });
  world.mendVf();
  await untilActive(scene, 'primary');
  return r;
}
