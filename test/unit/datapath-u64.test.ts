import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { readNs, u64View, writeNs } from '../../src/datapath/u64.js';

const TIMES = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 123_456_789_012_345, 2 ** 52 + 1, 2 ** 53 - 1];

/** Reads the first u64 of the memory at once, again and again, and tells which values it saw. */
const READER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const field = new BigInt64Array(workerData, 0, 1);
  const flags = new Int32Array(workerData, 8, 1);
  const seen = new Set();
  parentPort.postMessage('reads');
  while (Atomics.load(flags, 0) === 0) seen.add(Atomics.load(field, 0));
  parentPort.postMessage([...seen]);
`;

describe('64-bit times that programs read', () => {
  it.each(TIMES)('lie in memory as a u64: %d', (ns) => {
    const words = new Int32Array(8);
    writeNs(u64View(words), 4, ns);
    expect(new BigUint64Array(words.buffer)[2]).toBe(BigInt(ns));
    expect(readNs(words, 4)).toBe(ns);
    expect([words[2], words[3], words[6], words[7]]).toEqual([0, 0, 0, 0]);
  });

  it('are written through a view that begins where the words do', () => {
    const all = new Int32Array(8);
    writeNs(u64View(all.subarray(2)), 0, 5);
    expect([...all]).toEqual([0, 0, 5, 0, 0, 0, 0, 0]);
  });

  it('are never half there, whoever reads them meanwhile', async () => {
    const memory = new SharedArrayBuffer(16);
    const words = new Int32Array(memory);
    const view = u64View(words);
    const times = [0, 3 * 2 ** 32 + 7];
    const reader = new Worker(READER, { eval: true, workerData: memory });
    await once(reader, 'message');
    const told = once(reader, 'message') as Promise<[bigint[]]>;
    const end = performance.now() + 300;
    while (performance.now() < end) for (let i = 0; i < 2000; i++) writeNs(view, 0, times[i & 1]!);
    Atomics.store(words, 2, 1);
    const [seen] = await told;
    await reader.terminate();
    expect(seen.map(Number).sort((a, b) => a - b)).toEqual(times);
  });
});
