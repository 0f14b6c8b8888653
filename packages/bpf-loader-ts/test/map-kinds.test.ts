import { BloomFilter, BpfMap, lpmKey, MapOfMaps, type MapOptions, ProgramArray, Queue } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import { basic, bpfError, FRAME, mapsObject, own, u32, u32s } from './helpers.js';

const create = (options: MapOptions): BpfMap => own(BpfMap.create(options));
const wrong = expect.objectContaining(bpfError('BPF_ARGUMENT'));

describe('queue and stack', () => {
  it.each([
    ['queue', [1, 2, 3]],
    ['stack', [3, 2, 1]],
  ] as const)('%s: values come in its order', (type, order) => {
    const queue = new Queue(create({ type, valueSize: 4, maxEntries: 3 }));
    expect({ pop: queue.pop(), peek: queue.peek() }).toEqual({ pop: undefined, peek: undefined });
    for (const n of [1, 2, 3]) queue.push(u32(n));
    expect(() => queue.push(u32(4))).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'E2BIG')));
    for (const n of order) {
      expect(queue.peek()).toEqual(u32(n));
      const into = new Uint8Array(4);
      expect(queue.pop(into)).toBe(into);
      expect(into).toEqual(u32(n));
    }
    expect(queue.pop()).toBeUndefined();
  });

  it('a full one makes room by what came first, if asked', () => {
    const queue = new Queue(create({ type: 'queue', valueSize: 4, maxEntries: 2 }));
    for (const n of [1, 2, 3, 4, 5]) queue.push(u32(n), { evict: true });
    expect([queue.pop(), queue.pop(), queue.pop()]).toEqual([u32(4), u32(5), undefined]);
  });

  it('sizes, types and closed maps', () => {
    const map = create({ type: 'queue', valueSize: 4, maxEntries: 2 });
    const queue = new Queue(map);
    for (const value of [new Uint8Array(3), new Uint8Array(5), null, 'four', { byteLength: 4 }]) {
      expect(() => queue.push(value as Uint8Array)).toThrow(wrong);
      if (value === null) continue;
      expect(() => queue.pop(value as Uint8Array)).toThrow(wrong);
      expect(() => queue.peek(value as Uint8Array)).toThrow(wrong);
    }
    map.close();
    const closed = expect.objectContaining(bpfError('BPF_CLOSED'));
    for (const use of [() => queue.push(u32(1)), () => queue.pop(), () => queue.peek()])
      expect(use).toThrow(closed);
    const hash = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 2 });
    expect(() => new Queue(hash)).toThrow(/of type hash: Queue takes queue or stack/);
    for (const map of [hash, null, {}, 7] as BpfMap[]) {
      for (const View of [Queue, BloomFilter, MapOfMaps, ProgramArray])
        expect(() => new View(map)).toThrow(wrong);
    }
  });

  it('a frozen one', () => {
    const map = create({ type: 'queue', valueSize: 4, maxEntries: 2 });
    map.freeze();
    expect(() => new Queue(map).push(u32(1))).toThrow(expect.objectContaining(bpfError('BPF_READONLY')));
  });
});

describe('Bloom filter', () => {
  it('has what was added, and hardly anything else', () => {
    const filter = new BloomFilter(
      create({ type: 'bloom_filter', valueSize: 4, maxEntries: 1000, mapExtra: 5 }),
    );
    for (let i = 0; i < 1000; i++) {
      const value = u32(i);
      filter.add(value);
      expect(value).toEqual(u32(i));
    }
    let others = 0;
    for (let i = 0; i < 1000; i++) {
      expect(filter.has(u32(i))).toBe(true);
      if (filter.has(u32(1000 + i))) others++;
    }
    expect(others).toBeLessThan(100);
    expect(() => filter.has(new Uint8Array(8))).toThrow(wrong);
    expect(() => filter.add(new Uint8Array(8))).toThrow(wrong);
  });
});

describe('LPM trie', () => {
  it('finds the longest prefix', () => {
    const trie = create({ type: 'lpm_trie', keySize: 8, valueSize: 4, maxEntries: 8 });
    const address = (text: string): Uint8Array => Uint8Array.from(text.split('.'), Number);
    const put = (prefix: number, text: string, n: number): void =>
      trie.update(lpmKey(prefix, address(text)), u32(n));
    put(0, '0.0.0.0', 1);
    put(8, '10.0.0.0', 2);
    put(24, '10.1.2.0', 3);
    put(32, '10.1.2.3', 4);
    const find = (text: string): number => trie.lookup(lpmKey(32, address(text)))![0]!;
    expect(['192.0.2.1', '10.9.9.9', '10.1.2.9', '10.1.2.3'].map(find)).toEqual([1, 2, 3, 4]);
    expect(trie.delete(lpmKey(24, address('10.1.2.0')))).toBe(true);
    expect(find('10.1.2.9')).toBe(2);
    expect([...trie.keys()]).toHaveLength(3);
    expect(trie.delete(lpmKey(25, address('10.1.2.0')))).toBe(false);
  });

  it('a prefix longer than the address, or none at all', () => {
    for (const bad of [-1, 33, 1.5, Number.NaN, '8' as unknown as number])
      expect(() => lpmKey(bad, new Uint8Array(4))).toThrow(wrong);
    expect(lpmKey(128, new Uint8Array(16))).toHaveLength(20);
  });
});

describe('maps of maps', () => {
  const inner = (n: number): BpfMap => {
    const map = create({ type: 'array', name: `inner${n}`, valueSize: 4, maxEntries: 1 });
    map.update(u32(0), u32(n));
    return map;
  };

  it.each(['array_of_maps', 'hash_of_maps'] as const)(
    '%s: maps are put in, found, replaced, taken out',
    (type) => {
      const [one, two] = [inner(1), inner(2)];
      const map = create({
        type,
        maxEntries: 4,
        innerMap: one,
        ...(type === 'hash_of_maps' && { keySize: 4 }),
      });
      const maps = new MapOfMaps(map);
      expect([maps.id(u32(2)), maps.get(u32(2))]).toEqual([undefined, undefined]);
      maps.set(u32(2), one);
      expect(maps.id(u32(2))).toBe(one.info.id);
      maps.set(u32(2), two);
      two.close(); // the outer map holds it
      const found = own(maps.get(u32(2))!);
      expect({ name: found.info.name, value: found.lookup(u32(0)) }).toEqual({
        name: 'inner2',
        value: u32(2),
      });
      // Slots without a map are left out.
      expect([...map.readAll()]).toEqual([[u32(2), u32(found.info.id)]]);
      expect([...map.entries()]).toEqual([[u32(2), u32(found.info.id)]]);
      expect(maps.delete(u32(2))).toBe(true);
      expect(maps.id(u32(2))).toBeUndefined();
    },
  );

  it('a program sees the one that is there when it runs', () => {
    const object = mapsObject();
    const maps = new MapOfMaps(object.map('outer'));
    const run = (): number => object.program('read_inner').testRun({ data: FRAME }).retval | 0;
    expect(run()).toBe(-1);
    for (const n of [41, 42]) {
      maps.set(u32(3), inner(n));
      expect(run()).toBe(n);
    }
    maps.delete(u32(3));
    expect(run()).toBe(-1);
  });

  it('one of another shape is refused', () => {
    const maps = new MapOfMaps(create({ type: 'array_of_maps', maxEntries: 4, innerMap: inner(1) }));
    const other = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
    expect(() => maps.set(u32(0), other)).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'EINVAL')));
    for (const bad of [undefined, 3, {}] as unknown as BpfMap[])
      expect(() => maps.set(u32(0), bad)).toThrow(wrong);
    other.close();
    expect(() => maps.set(u32(0), other)).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
  });
});

describe('program array', () => {
  it('a tail call goes where it says', () => {
    const object = mapsObject();
    const programs = new ProgramArray(object.map('jumps'));
    const run = (): number => object.program('jump').testRun({ data: FRAME }).retval;
    const landed = object.program('landed');
    expect({ id: programs.id(2), returned: run() }).toEqual({ id: undefined, returned: 1 });
    programs.set(2, landed);
    expect({ id: programs.id(2), returned: run() }).toEqual({ id: landed.info.id, returned: 4711 });
    expect(object.map('jumps').readAll().count).toBe(1);
    expect(programs.delete(2)).toBe(true);
    expect({ deleted: programs.delete(2), returned: run() }).toEqual({ deleted: false, returned: 1 });
  });

  it('a program of another type, an index outside', () => {
    const object = mapsObject();
    const programs = new ProgramArray(object.map('jumps'));
    expect(() => programs.set(0, object.program('pass'))).toThrow(
      expect.objectContaining(bpfError('BPF_MAP', 'EINVAL')),
    );
    expect(() => programs.set(4, object.program('landed'))).toThrow(
      expect.objectContaining(bpfError('BPF_MAP', 'E2BIG')),
    );
    for (const index of [-1, 1.5, 2 ** 32, Number.NaN])
      expect(() => programs.set(index, object.program('landed'))).toThrow(wrong);
    expect(() => programs.set(0, undefined as never)).toThrow(wrong);
  });
});

describe('maps of sockets and storage', () => {
  it('can be made and inspected', () => {
    const map = create({ type: 'sockhash', keySize: 8, valueSize: 4, maxEntries: 2 });
    expect(map.info).toMatchObject({ typeName: 'sockhash', keySize: 8 });
    expect([...map.keys()]).toEqual([]);
    // Storage hangs on types of its own in BTF: only an object file can make it.
    expect(() => create({ type: 'task_storage', valueSize: 4 })).toThrow(
      expect.objectContaining(bpfError('BPF_MAP', 'EINVAL')),
    );
    expect(basic().map('cells').info.btfId).toBeGreaterThan(0);
    expect(() => map.lookup(u32s([1, 2]))).toThrow(expect.objectContaining({ name: 'BpfError' }));
  });
});
