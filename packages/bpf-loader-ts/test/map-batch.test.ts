import { Worker } from 'node:worker_threads';
import { BpfMap, MapBatch, type MapOptions, type MapTypeName } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import {
  bpfError,
  INDEX_URL,
  lpmEntries,
  mapsObject,
  node,
  own,
  SLOWDOWN,
  u32,
  u32s,
  u64s,
} from './helpers.js';
import { until } from './wait.js';

const create = (spec: Partial<MapOptions>): BpfMap =>
  own(BpfMap.create({ type: 'hash', name: 'batch', keySize: 4, valueSize: 8, maxEntries: 10_000, ...spec }));

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const number = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
const sorted = (batch: MapBatch): [number, number][] =>
  [...batch].map(([k, v]): [number, number] => [number(k), number(v)]).sort((a, b) => a[0] - b[0]);
/** Values of n, each filled as `number` reads them back. */
const values = (map: BpfMap, numbers: number[]): Uint8Array => {
  const all = new Uint8Array(numbers.length * map.valueBytes);
  for (const [i, n] of numbers.entries()) all.set(u32(n), i * map.valueBytes);
  return all;
};

describe.each(['hash', 'percpu_hash', 'lru_hash', 'lru_percpu_hash'] as const)('%s', (type) => {
  it('thousands of entries are stored, read, deleted and taken', () => {
    // Room for more: an LRU begins to forget before it is full.
    const map = create({ type, maxEntries: 40_000 });
    const all = range(0, 10_000);
    map.updateBatch(
      u32s(all),
      values(
        map,
        all.map((n) => n + 7),
      ),
    );
    const batch = map.readAll();
    expect(sorted(batch)).toEqual(all.map((n) => [n, n + 7]));

    expect(map.deleteBatch(u32s(range(0, 4000)))).toBe(4000);
    const memory = batch.keys.buffer;
    expect(map.readAll(batch)).toBe(batch);
    expect([batch.count, batch.keys.buffer === memory]).toEqual([6000, true]);
    expect(sorted(batch)).toEqual(range(4000, 10_000).map((n) => [n, n + 7]));

    expect(sorted(map.lookupAndDeleteAll(batch))).toEqual(range(4000, 10_000).map((n) => [n, n + 7]));
    expect([map.readAll(batch).count, [...map.keys()]]).toEqual([0, []]);
  });

  it('keys that are not there are passed over', () => {
    const map = create({ type });
    map.updateBatch(u32s([1, 2, 3, 5, 8]), values(map, [1, 2, 3, 5, 8]));
    expect(map.deleteBatch(u32s([0, 1, 4, 5, 6, 7, 8, 9, 9]))).toBe(3);
    expect(map.deleteBatch(u32s([0, 9]))).toBe(0);
    expect(map.deleteBatch(new Uint8Array(0))).toBe(0);
    expect(sorted(map.readAll())).toEqual([
      [2, 2],
      [3, 3],
    ]);
  });
});

describe.each(['array', 'percpu_array'] as const)('%s', (type) => {
  it('is stored and read whole, and nothing of it can be deleted', () => {
    const map = create({ type });
    const all = range(0, 10_000);
    map.updateBatch(
      u32s(all),
      values(
        map,
        all.map((n) => 3 * n),
      ),
    );
    const batch = map.readAll();
    expect(sorted(batch)).toEqual(all.map((n) => [n, 3 * n]));
    const memory = batch.values.buffer;
    expect([map.readAll(batch).count, batch.values.buffer === memory]).toEqual([10_000, true]);
    for (const remove of [() => map.deleteBatch(u32(1)), () => map.lookupAndDeleteAll()])
      expect(remove).toThrow(expect.objectContaining({ ...bpfError('BPF_MAP', 'EINVAL'), count: 0 }));
    expect(map.readAll(batch).count).toBe(10_000);
  });
});

it('lpm_trie: read, deleted, taken', () => {
  const map = create({ type: 'lpm_trie', keySize: 8 });
  const { keys, prefixes } = lpmEntries(500);
  map.updateBatch(keys, u64s(prefixes));
  const batch = map.readAll();
  expect(batch.count).toBe(500);
  expect([...batch].map(([, v]) => number(v)).sort((a, b) => a - b)).toEqual(prefixes);
  expect(map.deleteBatch(keys.subarray(0, 100 * 8))).toBe(100);
  expect([map.lookupAndDeleteAll(batch).count, map.readAll(batch).count]).toEqual([400, 0]);
});

describe('types without batches are gone through one by one', () => {
  it.each(['devmap_hash', 'cpumap', 'devmap'] as const)('%s', (type) => {
    const map = own(BpfMap.create({ type, maxEntries: 2 }));
    const device = type !== 'cpumap';
    const value = device ? u32s([1, 0]) : u32s([64, 0]);
    map.updateBatch(u32s([0, 1]), new Uint8Array([...value, ...value]));
    const batch = map.readAll();
    expect([...batch].map(([k]) => number(k)).sort()).toEqual([0, 1]);
    expect([...batch].map(([, v]) => number(v))).toEqual(device ? [1, 1] : [64, 64]);
    expect(map.deleteBatch(u32(1))).toBe(1);
    expect([...map.readAll(batch)].map(([k]) => number(k))).toEqual([0]);
    expect([map.lookupAndDeleteAll(batch).count, map.readAll(batch).count]).toEqual([1, 0]);
  });

  it('also when there are more than the first read has room for', () => {
    const n = 10_000;
    const map = own(BpfMap.create({ type: 'devmap_hash', maxEntries: n }));
    const one = u32s(range(0, n).flatMap(() => [1, 0]));
    map.updateBatch(u32s(range(0, n)), one);
    const batch = map.readAll();
    expect(batch.count).toBe(n);
    expect([...batch].map(([k]) => number(k)).sort((a, b) => a - b)).toEqual(range(0, n));
  });

  it('an error tells how far it came', () => {
    const map = own(BpfMap.create({ type: 'devmap_hash', maxEntries: 8 }));
    const target = u32s([1, 0, 1, 0, 0x7fff_ffff, 0, 1, 0]);
    expect(() => map.updateBatch(u32s([0, 1, 2, 3]), target)).toThrow(
      expect.objectContaining({ ...bpfError('BPF_MAP', 'EINVAL'), count: 2 }),
    );
    expect(map.readAll().count).toBe(2);
  });
});

describe('growing', () => {
  it('room for all is found, and kept', () => {
    const map = create({ maxEntries: 100_000 });
    map.updateBatch(u32s(range(0, 100_000)), values(map, range(0, 100_000)));
    const batch = map.readAll();
    expect(batch.count).toBe(100_000);
    expect(new Set([...batch].map(([k]) => number(k))).size).toBe(100_000);
    const { keys, values: vals } = batch;
    map.readAll(batch);
    expect([batch.keys === keys, batch.values === vals]).toEqual([true, true]);
  });

  it.each(['hash', 'percpu_hash'] as const)('%s: a bucket that finds no room is not lost', (type) => {
    // Two buckets of two hundred entries each: more than most sizes on the way hold.
    const map = create({ type, maxEntries: 4097 * 2 });
    const n = 4097 * 2;
    map.updateBatch(u32s(range(0, n)), values(map, range(0, n)));
    expect(sorted(map.lookupAndDeleteAll())).toEqual(range(0, n).map((i) => [i, i]));
    expect(map.readAll().count).toBe(0);
  });

  it('a poller that reuses its batch allocates next to nothing', () => {
    const run = node(`
      const { BpfMap } = await import(${JSON.stringify(INDEX_URL)});
      const map = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 8, maxEntries: 10000 });
      const n = 10000;
      map.updateBatch(new Uint8Array(Uint32Array.from({ length: n }, (_, i) => i).buffer), new Uint8Array(8 * n));
      const batch = map.readAll();
      for (let i = 0; i < 200; i++) map.readAll(batch);
      const before = process.memoryUsage();
      for (let i = 0; i < 200; i++) map.readAll(batch);
      const after = process.memoryUsage();
      console.log(JSON.stringify([after.heapUsed - before.heapUsed, after.arrayBuffers - before.arrayBuffers, batch.count]));`);
    const [heap, buffers, count] = JSON.parse(run.stdout) as number[];
    expect(count).toBe(10_000);
    // Less than before, if buffers of the start were collected meanwhile.
    expect(buffers).toBeLessThanOrEqual(0);
    // A closure and a few numbers a read, not 10,000 entries.
    expect(heap).toBeLessThan(200 * 2000);
  });
});

describe('errors', () => {
  it('a batch that stops tells after how many', () => {
    const map = create({ maxEntries: 8 });
    map.update(u32(3), u64s([1]));
    const full = expect.objectContaining({ ...bpfError('BPF_MAP', 'E2BIG'), count: 7 });
    expect(() => map.updateBatch(u32s(range(10, 30)), u64s(range(10, 30)))).toThrow(full);
    expect(() => map.updateBatch(u32s(range(10, 30)), u64s(range(10, 30)))).toThrow(/after 7 elements/);
    expect(map.readAll().count).toBe(8);
    expect(() => map.updateBatch(u32s([10, 11, 99]), u64s([1, 1, 1]), 2)).toThrow(
      expect.objectContaining({ ...bpfError('BPF_MAP', 'ENOENT'), count: 2 }),
    );
    expect(() => map.updateBatch(u32s([10, 11]), u64s([1, 1]), 1 << 30)).toThrow(
      expect.objectContaining({ ...bpfError('BPF_MAP', 'EINVAL'), count: 0 }),
    );
  });

  it('sizes that do not fit never reach the kernel', () => {
    const map = create({});
    const wrong = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    for (const [keys, vals] of [
      [5, 8],
      [4, 7],
      [8, 8],
      [4, 16],
      [4, 0],
      [0, 8],
    ] as const)
      expect(() => map.updateBatch(new Uint8Array(keys), new Uint8Array(vals)), `${keys} ${vals}`).toThrow(
        wrong,
      );
    expect(() => map.deleteBatch(new Uint8Array(3))).toThrow(wrong);
    for (const nonsense of [null, undefined, 'keys!', [1], { byteLength: 4 }] as unknown as Uint8Array[]) {
      expect(() => map.deleteBatch(nonsense)).toThrow(wrong);
      expect(() => map.updateBatch(nonsense, new Uint8Array(8))).toThrow(wrong);
      expect(() => map.updateBatch(u32(1), nonsense)).toThrow(wrong);
    }
    class Liar extends Uint8Array {
      override get byteLength(): number {
        return 800;
      }
    }
    expect(() => map.updateBatch(new Uint8Array(400), new Liar(8))).toThrow(wrong);
    for (const flags of [-1, Number.NaN]) expect(() => map.readAll(undefined, flags)).toThrow(wrong);
    const other = create({ valueSize: 16 });
    expect(() => map.readAll(other.readAll())).toThrow(wrong);
  });

  it('a batch whose memory was given away gets new', () => {
    const map = create({});
    map.update(u32(1), u64s([1]));
    const batch = map.readAll();
    structuredClone(batch.keys, { transfer: [batch.keys.buffer as ArrayBuffer] });
    expect(sorted(map.readAll(batch))).toEqual([[1, 1]]);
  });

  it.each(['queue', 'stack', 'bloom_filter', 'ringbuf'] as MapTypeName[])('%s has no entries', (type) => {
    const map = own(BpfMap.create({ type, maxEntries: 4096, ...(type !== 'ringbuf' && { valueSize: 4 }) }));
    const wrong = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    const none = new Uint8Array(0);
    for (const use of [
      () => map.readAll(),
      () => map.lookupAndDeleteAll(),
      () => map.updateBatch(none, none),
      () => map.deleteBatch(none),
      () => [...map.keys()],
      () => map.lookup(none),
      () => map.update(none, u32(1)),
      () => map.delete(none),
      () => map.lookupAndDelete(none),
    ])
      expect(use).toThrow(wrong);
    expect(() => map.lookup(none)).toThrow(/has no keys; use new (Queue|BloomFilter|RingBuffer)\(map\)/);
  });

  it('what user space may not look up: unsupported', () => {
    const map = own(BpfMap.create({ type: 'xskmap', maxEntries: 2 }));
    expect(() => map.lookup(u32(0))).toThrow(
      expect.objectContaining(bpfError('BPF_UNSUPPORTED', 'EOPNOTSUPP')),
    );
    const array = create({ type: 'array', maxEntries: 2 });
    expect(() => array.lookupAndDelete(u32(0))).toThrow(
      expect.objectContaining(bpfError('BPF_UNSUPPORTED', 'ENOTSUPP')),
    );
  });
});

it('while a program inserts and deletes: what stays is always seen, and nothing is seen that never was', async () => {
  const object = mapsObject();
  const map = object.map('churned');
  const stay = range(0, 10_000);
  map.updateBatch(u32s(stay), u64s(stay.map((n) => 3 * n)));
  const [program, counts] = [object.program('churn'), own(object.map('counts').mmap()).uint32()];
  const worker = new Worker(
    `import(${JSON.stringify(INDEX_URL)}).then(({ Program }) => {
       const program = Program.fromId(${program.info.id});
       const { parentPort } = require('node:worker_threads');
       let on = true;
       parentPort.on('message', () => { on = false; });
       const turn = () => {
         if (!on) { program.close(); parentPort.close(); return; }
         program.testRun({ data: new Uint8Array(64), repeat: 20000 });
         setImmediate(turn);
       };
       turn();
     })`,
    { eval: true },
  );
  const failed = new Promise<never>((_, reject) => worker.on('error', reject));
  await Promise.race([until(() => counts[0]!), failed]);
  const first = counts[0]!;
  const batch = new MapBatch(map);
  let [reads, wrong, changing] = [0, 0, 0];
  const [least, most] = [1500, 1500 * SLOWDOWN].map((ms) => performance.now() + ms);
  const enough = (): boolean => counts[0]! - first > 10_000 && reads > 10 && changing > 0;
  while (performance.now() < least! || (!enough() && performance.now() < most!)) {
    map.readAll(batch);
    reads++;
    const seen = new Set<number>();
    for (let i = 0; i < batch.count; i++) {
      const key = number(batch.key(i));
      // A slot that is used anew while it is read may show the value of its next key: below 10,000 nothing moves.
      if (key >= 15_000 || (key < 10_000 && number(batch.value(i)) !== 3 * key)) wrong++;
      if (key < 10_000) seen.add(key);
      else changing++;
    }
    if (seen.size !== stay.length) wrong++;
    await Promise.race([new Promise((r) => setImmediate(r)), failed]);
  }
  expect([wrong, enough()]).toEqual([0, true]);
  worker.postMessage('stop');
  await new Promise((resolve) => worker.on('exit', resolve));
});
