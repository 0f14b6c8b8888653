import { Worker } from 'node:worker_threads';
import { BpfMap, Mapping, MapType, PAGE_SIZE } from 'bpf-loader-ts';
import { EventFd } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import { basic, bpfError, FRAME, INDEX_URL, node, own, u32 } from './helpers.js';

/** Words of struct cell. */
const CELL = 4;
const WORD = 2;

describe('a mapped array', () => {
  it('is the same memory for JavaScript, the program and the system call', () => {
    const object = basic();
    const map = object.map('cells');
    expect(map.stride).toBe(16);
    const words = own(map.mmap()).int32();
    const count = object.program('count');
    expect(words.byteLength).toBe(PAGE_SIZE);
    for (let i = 1; i <= 100; i++) {
      words[CELL + WORD] = i * 7;
      expect(count.testRun({ data: FRAME }).retval).toBe(i * 7);
      expect(words[0]).toBe(3 * i);
    }
    expect(new DataView(map.lookup(u32(1))!.buffer).getUint32(8, true)).toBe(700);
    map.update(u32(3), new Uint8Array(16).fill(1));
    expect(words[3 * CELL]).toBe(0x01010101);
  });

  it('outlives its map object, and is written to by a worker thread', async () => {
    const object = basic();
    const map = object.map('cells');
    using mapping = map.mmap();
    const words = mapping.int32();
    const worker = new Worker(
      `import(${JSON.stringify(INDEX_URL)}).then(({ BpfMap }) => {
         const words = BpfMap.fromFd(${map.fd}).mmap().int32();
         const { parentPort } = require('node:worker_threads');
         parentPort.postMessage(words[0]);
         for (let i = 0; i < 1e5; i++) Atomics.add(words, ${WORD}, 1);
         parentPort.postMessage('done');
       })`,
      { eval: true },
    );
    words[0] = 4711;
    const messages: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (m) => messages.push(m) === 2 && resolve());
    });
    expect(messages).toEqual([4711, 'done']);
    expect(Atomics.load(words, WORD)).toBe(100_000);
    await worker.terminate();
    expect(words[WORD]).toBe(100_000);
  });

  it('close empties every view, at once and for good', () => {
    const mapping = basic().map('cells').mmap();
    const [words, view, bytes] = [mapping.int32(), mapping.view(), mapping.uint8()];
    const reader = mapping.reader();
    words[0] = 5;
    expect({ closed: mapping.closed, value: reader.getInt32(0, true) }).toEqual({ closed: false, value: 5 });
    mapping.close();
    mapping.close();
    expect(mapping.closed).toBe(true);
    expect([words.length, words[0], bytes[0]]).toEqual([0, undefined, undefined]);
    words[0] = 1; // goes nowhere
    expect(() => view.getInt32(0)).toThrow(TypeError);
    expect(() => reader.getInt32(0)).toThrow(TypeError);
    expect(() => Atomics.load(words, 0)).toThrow();
    expect(() => mapping.int32()).toThrow(TypeError);
  });

  it('a hot loop that was compiled for the mapping survives its close', () => {
    const mapping = basic().map('cells').mmap();
    const words = mapping.int32();
    const sum = (n: number): number => {
      let s = 0;
      for (let i = 0; i < n; i++) s += (words[i & 7] ?? 1) | 0;
      return s;
    };
    for (let i = 0; i < 50; i++) sum(100_000);
    mapping.close();
    expect(sum(1000)).toBe(1000);
  });
});

describe('a read-only mapping', () => {
  it('can be read live, and stored to by no way', () => {
    const object = basic();
    const mapping = own(object.map('cells').mmap({ writable: false }));
    const reader = mapping.reader();
    object.program('count').testRun({ data: FRAME, repeat: 2 });
    expect(reader.getUint32(0, true)).toBe(6);
    expect(reader.getBigUint64(0, true)).toBe(6n);
    expect(mapping.reader(4).byteOffset).toBe(4);
    expect([...reader.slice(0, 4)]).toEqual([6, 0, 0, 0]);
    expect(() => reader.getInt32(PAGE_SIZE)).toThrow(RangeError);

    const refused = expect.objectContaining(bpfError('BPF_READONLY'));
    for (const access of ['int32', 'uint32', 'uint8', 'float64', 'bigUint64', 'view'] as const)
      expect(() => mapping[access]()).toThrow(refused);
    expect(() => mapping.buffer).toThrow(refused);
    expect(() => reader.buffer).toThrow(refused);
    const view: DataView = reader;
    for (const type of ['Int8', 'Uint8', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64'] as const)
      expect(() => view[`set${type}`](0, 1)).toThrow(refused);
    expect(() => view.setBigInt64(0, 1n)).toThrow(refused);
    expect(() => view.setBigUint64(0, 1n)).toThrow(refused);
    expect(() => DataView.prototype.setInt8.call(view, 0, 1)).toThrow(TypeError);
    expect(() => new Uint8Array(view as unknown as ArrayBuffer).fill(1)).not.toThrow(); // an empty array of its own
    expect(reader.getUint32(0, true)).toBe(6);
  });
});

describe('refusals', () => {
  it('only a mapable map is mapped, and only inside', () => {
    const object = basic();
    for (const name of ['percpu', 'events'])
      expect(() => object.map(name).mmap()).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
    const plain = own(
      BpfMap.create({
        type: MapType.array,
        name: 'plain',
        keySize: 4,
        valueSize: 8,
        maxEntries: 1,
        flags: 0,
      }),
    );
    expect(() => plain.mmap()).toThrow(/BPF_F_MMAPABLE/);
    const { fd } = object.map('cells');
    using event = new EventFd();
    const failed = expect.objectContaining({ name: 'BpfError' });
    expect(() => new Mapping(plain.fd, PAGE_SIZE)).toThrow(failed);
    for (const [length, offset] of [
      [0, 0],
      [-1, 0],
      [1.5, 0],
      [1 << 20, 0],
      [PAGE_SIZE, 7],
      [PAGE_SIZE, PAGE_SIZE],
      [PAGE_SIZE, -PAGE_SIZE],
    ] as const)
      expect(() => new Mapping(fd, length, offset), `${length} at ${offset}`).toThrow(failed);
    expect(() => new Mapping(event.fd, PAGE_SIZE)).toThrow(failed);
    expect(() => new Mapping(fd, PAGE_SIZE, 0, 1 as unknown as boolean)).toThrow(
      /writable must be a boolean/,
    );
  });
});

describe('a shared mapping', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const since: { readonly [major: number]: number } = { 22: 23, 24: 21, 26: 10 };
  const has = minor >= (since[major] ?? Number.POSITIVE_INFINITY) || major > 26;

  it('is one memory for all threads, or unsupported by this Node, and says which can', async () => {
    const object = basic();
    const map = object.map('cells');
    if (!has) {
      expect(() => map.mmapShared()).toThrow(
        expect.objectContaining({
          ...bpfError('BPF_UNSUPPORTED', 'ENOSYS'),
          message: expect.stringMatching(/22\.23, 24\.21 or 26\.10/),
        }),
      );
      return;
    }
    const shared = map.mmapShared();
    expect(shared).toBeInstanceOf(SharedArrayBuffer);
    expect(shared.byteLength).toBe(PAGE_SIZE);
    const words = new Int32Array(shared);
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const words = new Int32Array(workerData);
       parentPort.postMessage('up');
       const how = Atomics.wait(words, ${CELL}, 0, 10000);
       parentPort.postMessage([how, words[${CELL + WORD}]]);`,
      { eval: true, workerData: shared },
    );
    const messages: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (m) => {
        messages.push(m);
        if (messages.length === 2) return resolve();
        const wake = (): void => {
          words[CELL + WORD] = 4711;
          Atomics.store(words, CELL, 1);
          if (Atomics.notify(words, CELL) === 0) setTimeout(wake, 1);
        };
        wake();
      });
    });
    expect(messages).toEqual(['up', [expect.stringMatching(/^(ok|not-equal)$/), 4711]]);
    await worker.terminate();
    // The program stores to it and reads from it; closing the map does not take it away.
    expect(object.program('count').testRun({ data: FRAME }).retval).toBe(4711);
    object.close();
    expect(words[0]).toBe(3);
  });

  it('of a map that is frozen or cannot be mapped: none', () => {
    const object = basic();
    expect(() => object.map('percpu').mmapShared()).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
    expect(() => object.map('.rodata').mmapShared()).toThrow(
      expect.objectContaining({ code: has ? 'BPF_READONLY' : 'BPF_UNSUPPORTED' }),
    );
  });
});

it('mappings may be transferred, dropped and collected in any order', () => {
  const script = `
    import v8 from 'node:v8'; import vm from 'node:vm';
    v8.setFlagsFromString('--expose-gc'); const gc = vm.runInNewContext('gc');
    const { BpfMap } = await import(${JSON.stringify(INDEX_URL)});
    const map = BpfMap.create({ type: 2, name: 'x', keySize: 4, valueSize: 8, maxEntries: 64, flags: 1024 });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 200; i++) {
      const m = map.mmap();
      const words = m.int32();
      words[0] = i;
      const way = i % 4;
      if (way === 1) m.close();
      if (way === 2 && m.buffer.transfer) { const moved = m.buffer.transfer(); m.close(); new Int32Array(moved)[0] = 1; }
      if (way === 3) { try { structuredClone(m.buffer, { transfer: [m.buffer] }); } catch {} m.close(); m.close(); }
      if (i % 10 === 0) { gc(); await turn(); await turn(); }
    }
    gc(); await turn(); gc();
    console.log('end');`;
  expect(node(script)).toMatchObject({ status: 0, signal: null, stdout: 'end\n' });
});
