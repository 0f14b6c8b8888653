import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { BFD, BFD_WORDS, bfdBase } from '../../src/datapath/offsets.js';
import { BfdMap } from '../../src/detect/bfd/map.js';

const SLOT = 1;

/** Reads a 64-bit word again and again, as the timer of the programs may, and tells which values it met. */
const READER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { buffer, at } = workerData;
  const times = new BigInt64Array(buffer);
  const stop = new Int32Array(buffer);
  const seen = new Set();
  parentPort.postMessage('ready');
  while (Atomics.load(stop, 0) === 0) {
    seen.add(Atomics.load(times, at));
    Atomics.store(stop, 1, seen.size);
  }
  parentPort.postMessage([...seen].map(Number));
`;

const message = <T>(worker: Worker): Promise<T> =>
  new Promise((done, failed) => {
    worker.once('message', done);
    worker.once('error', failed);
  });

/** Both halves of its multiples differ from those of the next. */
const STEP = 2 ** 32 + 7;

test.each([
  ['a deadline', BFD.due_ns, (map: BfdMap, i: number) => map.setDue(SLOT, (i % 3) * STEP)],
  [
    'the latest sign of life',
    BFD.heard_ns,
    (map: BfdMap, i: number) => map.quiet(SLOT, { ...QUIET, heardNs: i * STEP }),
  ],
])('%s is never seen half-written', async (_, word, write) => {
  const buffer = new SharedArrayBuffer(4 * BFD_WORDS * 2);
  const words = new Int32Array(buffer);
  const map = new BfdMap(words);
  map.open(SLOT, KEY);
  const worker = new Worker(READER, {
    eval: true,
    workerData: { buffer, at: (bfdBase(SLOT) + word) >>> 1 },
  });
  onTestFinished(async () => void (await worker.terminate()));
  expect(await message(worker)).toBe('ready');
  // Until the other thread has met a few.
  for (let i = 0, from = performance.now(); Atomics.load(words, 1) < 3 || performance.now() - from < 300; i++)
    write(map, i);
  const seen = message<number[]>(worker);
  Atomics.store(words, 0, 1);
  const met = await seen;
  expect(met.filter((ns) => ns % STEP !== 0)).toEqual([]);
});

const QUIET = { packet: new Uint8Array(24), length: 24, path: 0, detectNs: 1e9, flips: false } as const;
const KEY = {
  discriminator: 1,
  local: new Uint8Array(4),
  peer: new Uint8Array(4),
  vlan: undefined,
  mac: new Uint8Array(6),
};
