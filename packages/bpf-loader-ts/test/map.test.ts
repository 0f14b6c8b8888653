import { readFileSync } from 'node:fs';
import {
  BPF_F_LOCK,
  BPF_F_NO_PREALLOC,
  BPF_F_RDONLY,
  BPF_F_WRONLY,
  BpfMap,
  ensurePinFolder,
  type MapOptions,
  MapType,
  type MapTypeName,
  Program,
  possibleCpus,
} from 'bpf-loader-ts';
import { closeFd, dupFd, EventFd } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import { basic, bpfError, FRAME, mapsObject, own, pinFolder, u32, u32s } from './helpers.js';

const create = (spec: Partial<MapOptions>): BpfMap =>
  own(BpfMap.create({ type: 'array', name: 'test', keySize: 4, valueSize: 4, maxEntries: 8, ...spec }));

describe('making a map', () => {
  it('takes a type by number or name, and what the type fixes may be left out', () => {
    const info = (options: MapOptions) => own(BpfMap.create(options)).info;
    expect(info({ type: 'array', valueSize: 8, maxEntries: 3 })).toMatchObject({
      type: MapType.array,
      typeName: 'array',
      name: '',
      keySize: 4,
      valueSize: 8,
      maxEntries: 3,
      flags: 0,
      mapExtra: 0,
      ifindex: 0,
      btfId: 0,
    });
    expect(info({ type: MapType.percpu_hash, keySize: 2, valueSize: 8, maxEntries: 3 }).typeName).toBe(
      'percpu_hash',
    );
    expect(info({ type: 'lpm_trie', keySize: 8, valueSize: 4, maxEntries: 3 }).flags).toBe(BPF_F_NO_PREALLOC);
    expect(info({ type: 'cpumap' })).toMatchObject({ keySize: 4, valueSize: 8, maxEntries: possibleCpus() });
    expect(info({ type: 'ringbuf', maxEntries: 4096 })).toMatchObject({ keySize: 0, valueSize: 0 });
    expect(info({ type: 'bloom_filter', valueSize: 4, maxEntries: 9, mapExtra: 3 }).mapExtra).toBe(3);
    expect(info({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1, numaNode: 0 }).flags).toBe(4);
    expect(create({}).memlock).toBeGreaterThan(0);
  });

  it('one of every type that needs no more than sizes', () => {
    const special: { [type in MapTypeName]?: Partial<MapOptions> } = {
      stack_trace: { valueSize: 8 },
      lpm_trie: { keySize: 8 },
      cpumap: { maxEntries: 1 },
      ringbuf: { maxEntries: 4096 },
      user_ringbuf: { maxEntries: 4096 },
    };
    const plain: MapTypeName[] = [
      ...(['hash', 'array', 'prog_array', 'perf_event_array', 'percpu_hash', 'percpu_array'] as const),
      ...(['stack_trace', 'cgroup_array', 'lru_hash', 'lru_percpu_hash', 'lpm_trie', 'devmap'] as const),
      ...(['sockmap', 'cpumap', 'xskmap', 'sockhash', 'reuseport_sockarray', 'queue', 'stack'] as const),
      ...(['devmap_hash', 'ringbuf', 'bloom_filter', 'user_ringbuf'] as const),
    ];
    for (const type of plain) {
      const keyless = ['queue', 'stack', 'ringbuf', 'user_ringbuf', 'bloom_filter'].includes(type);
      const sized = ['ringbuf', 'user_ringbuf'].includes(type) ? {} : { valueSize: 4 };
      const map = own(
        BpfMap.create({
          type,
          maxEntries: 8,
          ...(!keyless && { keySize: 4 }),
          ...sized,
          ...special[type],
        }),
      );
      expect(map.info.typeName).toBe(type);
      expect(own(BpfMap.fromId(map.info.id)).info).toEqual(map.info);
      expect([...BpfMap.ids()]).toContain(map.info.id);
      // Of some types the kernel says that they take nothing.
      expect(map.memlock).toBeGreaterThanOrEqual(0);
    }
  });

  it('what cannot be made says why', () => {
    const wrong = (code: string, errno?: string) => expect.objectContaining(bpfError(code, errno));
    const make = (options: unknown) => () => create(options as MapOptions);
    expect(make({ type: 'hassh' })).toThrow(/map type hassh is not known; there are unspec, hash, array/);
    for (const type of [Number.NaN, -1, 1.5, undefined, null, {}, 'toString'])
      expect(make({ type }), String(type)).toThrow(wrong('BPF_ARGUMENT'));
    expect(make({ type: 99 })).toThrow(wrong('BPF_MAP', 'EINVAL'));
    expect(make({ type: 99 })).toThrow(/type 99, keys of 4 bytes, values of 4, 8 entries/);
    expect(() => BpfMap.create({ type: 'hash', valueSize: 4, maxEntries: 1 })).toThrow(/needs keySize/);
    expect(() => BpfMap.create({ type: 'array', valueSize: 4 })).toThrow(/needs maxEntries/);
    expect(make({ name: 'a name of 16 byt' })).toThrow(/at most 15 bytes/);
    expect(make({ name: 'sp ace' })).toThrow(wrong('BPF_MAP', 'EINVAL'));
    for (const bad of [{ keySize: -4 }, { valueSize: 1.5 }, { maxEntries: Number.NaN }, { numaNode: -1 }])
      expect(make(bad)).toThrow(wrong('BPF_ARGUMENT'));
    expect(make({ type: 'array_of_maps' })).toThrow(wrong('BPF_MAP', 'EINVAL'));
    expect(() => BpfMap.fromId(0x7fff_fff0)).toThrow(wrong('BPF_MAP', 'ENOENT'));
    expect(() => BpfMap.fromId(-1)).toThrow(wrong('BPF_ARGUMENT'));
  });
});

describe('a map that may not be stored to', () => {
  const readOnly = expect.objectContaining(bpfError('BPF_READONLY'));

  it('frozen: for everybody in user space, for good', () => {
    const map = create({ flags: 1024 });
    map.update(u32(1), u32(7));
    expect(map.frozen).toBe(false);
    map.freeze();
    expect(map.frozen).toBe(true);
    expect(map.lookup(u32(1))).toEqual(u32(7));
    for (const store of [
      () => map.update(u32(1), u32(8)),
      () => map.updateBatch(u32(1), u32(8)),
      () => map.mmap(),
      () => own(BpfMap.fromId(map.info.id)).update(u32(1), u32(8)),
    ])
      expect(store).toThrow(readOnly);
    expect(() => map.update(u32(1), u32(8))).toThrow(/frozen/);
    expect(() => map.freeze()).toThrow(readOnly);
    expect(
      own(map.mmap({ writable: false }))
        .reader()
        .getUint32(8, true),
    ).toBe(7);
    const hash = create({ type: 'hash' });
    hash.freeze();
    for (const store of [() => hash.delete(u32(1)), () => hash.deleteBatch(u32(1))])
      expect(store).toThrow(readOnly);
    expect(() => hash.lookupAndDelete(u32(1))).toThrow(readOnly);
    expect(() => hash.lookupAndDeleteAll()).toThrow(readOnly);
  });

  it('mapped writable: it cannot be frozen', () => {
    const map = create({ flags: 1024 });
    own(map.mmap());
    expect(() => map.freeze()).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'EBUSY')));
  });

  it('constants of a program are frozen', () => {
    const rodata = basic().map('.rodata');
    expect(rodata.frozen).toBe(true);
    expect(() => rodata.mmap()).toThrow(readOnly);
    expect(
      own(rodata.mmap({ writable: false }))
        .reader()
        .getUint8(0),
    ).toBe(1);
  });

  it('opened read-only or write-only: by this descriptor', () => {
    const map = create({ flags: BPF_F_RDONLY | 1024 });
    expect(map.lookup(u32(1))).toEqual(u32(0));
    expect(() => map.update(u32(1), u32(8))).toThrow(readOnly);
    expect(() => map.update(u32(1), u32(8))).toThrow(/BPF_F_RDONLY/);
    expect(() => map.mmap()).toThrow(readOnly);
    const other = create({ flags: BPF_F_WRONLY });
    other.update(u32(1), u32(8));
    expect(() => other.lookup(u32(1))).toThrow(expect.objectContaining(bpfError('BPF_PERMISSION', 'EPERM')));
    expect(() => other.lookup(u32(1))).toThrow(/write-only/);

    const pin = `${pinFolder()}/map`;
    ensurePinFolder(pin.slice(0, -4));
    const pinned = create({});
    pinned.pin(pin);
    pinned.update(u32(1), u32(5));
    const view = own(BpfMap.fromPin(pin, { readOnly: true }));
    expect(view.lookup(u32(1))).toEqual(u32(5));
    expect(() => view.update(u32(1), u32(6))).toThrow(readOnly);
    own(BpfMap.fromPin(pin)).update(u32(1), u32(6));
    expect(view.lookup(u32(1))).toEqual(u32(6));
  });
});

describe('flags', () => {
  it('BPF_F_LOCK: a value under a lock is read and stored whole, while a program stores it', () => {
    const object = mapsObject();
    const map = object.map('locked');
    map.update(u32(1), new Uint8Array(16));
    const run = object.program('store_locked');
    expect(run.testRun({ data: FRAME, repeat: 1000 }).retval).toBe(0);
    const value = map.lookup(u32(1), undefined, BPF_F_LOCK)!;
    const words = new Uint32Array(value.buffer);
    expect(words[1]).toBe(words[2]);
    expect([words[0], words[1] !== 0]).toEqual([0, true]);
    map.update(u32(1), u32s([0, 5, 6, 7]), BPF_F_LOCK);
    expect(map.lookup(u32(1), undefined, BPF_F_LOCK)).toEqual(u32s([0, 5, 6, 7]));
    // A value without a lock cannot be locked.
    const plain = create({});
    for (const use of [
      () => plain.lookup(u32(1), undefined, BPF_F_LOCK),
      () => plain.update(u32(1), u32(1), BPF_F_LOCK),
      () => plain.update(u32(1), u32(1), 1 << 20),
    ])
      expect(use).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'EINVAL')));
    for (const flags of [-1, Number.NaN, 1.5, 2 ** 32])
      expect(() => plain.lookup(u32(1), undefined, flags)).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
  });
});

describe('array', () => {
  it('holds values, refuses what is outside', () => {
    const map = create({ valueSize: 8 });
    expect(map.lookup(u32(3))).toEqual(new Uint8Array(8));
    map.update(u32(3), new Uint8Array(8).fill(9));
    const into = new Uint8Array(8);
    expect(map.lookup(u32(3), into)).toBe(into);
    expect(into[7]).toBe(9);
    expect(map.lookup(u32(8))).toBeUndefined();
    expect(() => map.update(u32(8), into)).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'E2BIG')));
    expect(() => map.update(u32(1), into, 1)).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'EEXIST')));
    expect(() => map.delete(u32(1))).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'EINVAL')));
    expect([...map.keys()].map((k) => k[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe('hash', () => {
  it('inserts, replaces, deletes', () => {
    const map = create({ type: MapType.hash, keySize: 3, valueSize: 5 });
    const [key, value] = [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3, 4, 5)];
    expect(map.lookup(key)).toBeUndefined();
    expect(map.delete(key)).toBe(false);
    expect(() => map.update(key, value, 2)).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'ENOENT')));
    map.update(key, value, 1);
    expect(() => map.update(key, value, 1)).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'EEXIST')));
    expect(map.lookup(key)).toEqual(value);
    expect(map.delete(key)).toBe(true);
    expect([...map.keys()]).toEqual([]);
  });

  it.each(['hash', 'percpu_hash', 'lru_hash', 'lru_percpu_hash'] as const)(
    '%s: looks up and deletes at once, and gives all entries',
    (type) => {
      // Eight bytes: what per-CPU maps pad shorter values with comes back from some kernels (before 7) and from others not.
      const map = create({ type, maxEntries: 100, valueSize: 8 });
      const value = (n: number): Uint8Array => new Uint8Array(map.valueBytes).fill(n);
      for (let i = 0; i < 10; i++) map.update(u32(i), value(i));
      expect(map.lookupAndDelete(u32(4))).toEqual(value(4));
      expect(map.lookupAndDelete(u32(4))).toBeUndefined();
      const into = value(0);
      expect(map.lookupAndDelete(u32(5), into)).toBe(into);
      expect(into).toEqual(value(5));
      const seen = [...map.entries()].map(([k, v]) => [k[0]!, v[0]!]).sort((a, b) => a[0]! - b[0]!);
      expect(seen).toEqual([0, 1, 2, 3, 6, 7, 8, 9].map((i) => [i, i]));
    },
  );

  it('gives every key once, also when each is deleted on the way', () => {
    const map = create({ type: MapType.hash, maxEntries: 1000 });
    for (let i = 0; i < 1000; i++) map.update(u32(i), u32(i));
    expect(() => map.update(u32(1000), u32(0))).toThrow(
      expect.objectContaining(bpfError('BPF_MAP', 'E2BIG')),
    );
    const number = (key: Uint8Array): number => new DataView(key.buffer).getUint32(0, true);
    expect(new Set([...map.keys()].map(number)).size).toBe(1000);
    const deleted = new Set<number>();
    for (const key of map.keys()) {
      deleted.add(number(key));
      map.delete(key);
      key.fill(255); // what the caller does to its key is the caller's affair
    }
    expect(deleted.size).toBe(1000);
    expect([...map.keys()]).toEqual([]);
  });

  it('an iteration that others keep setting back ends with an error', () => {
    const map = create({ type: MapType.hash, maxEntries: 64 });
    const fill = (): void => {
      for (let i = 0; i < 64; i++) map.update(u32(i), u32(i));
    };
    fill();
    expect(() => {
      let n = 0;
      for (const _ of map.keys()) {
        if (++n > 1000) throw new Error('endless');
        for (const key of map.keys()) map.delete(key);
        fill();
      }
    }).not.toThrow('endless');
  });
});

describe('per-CPU maps', () => {
  it('give one value for every possible CPU', () => {
    const list = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
    expect(possibleCpus()).toBe(Number(list.split(/[,-]/).at(-1)) + 1);
    const object = basic();
    const map = object.map('percpu');
    expect(map.valueBytes).toBe(8 * possibleCpus());
    object.program('count').testRun({ data: FRAME, repeat: 7 });
    const value = map.lookup(u32(0))!;
    const view = new DataView(value.buffer);
    let sum = 0;
    for (let cpu = 0; cpu < possibleCpus(); cpu++) sum += view.getUint32(8 * cpu, true);
    expect(sum).toBe(7);
  });

  // A buffer for one value only would be overrun by the kernel: of every type that is per CPU.
  it.each([
    ['PERCPU_HASH', MapType.percpu_hash],
    ['LRU_PERCPU_HASH', 10],
  ])('%s: sizes are those of all CPUs', (_, type) => {
    const map = create({ type, valueSize: 12 });
    expect(map.valueBytes).toBe(16 * possibleCpus());
    map.update(u32(1), new Uint8Array(map.valueBytes).fill(7));
    expect(map.lookup(u32(1))![16 * (possibleCpus() - 1) + 11]).toBe(7);
    expect(() => map.update(u32(1), new Uint8Array(12))).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
  });
});

describe('per-CPU values', () => {
  it('are taken apart without a copy, and put together', () => {
    const map = create({ type: 'percpu_array', valueSize: 12 });
    const parts = Array.from({ length: possibleCpus() }, (_, cpu) => new Uint8Array(12).fill(cpu + 1));
    const value = map.fromPerCpu(parts);
    expect(value.byteLength).toBe(16 * possibleCpus());
    map.update(u32(2), value);
    const read = map.lookup(u32(2))!;
    const views = map.perCpu(read);
    expect(views).toEqual(parts);
    expect(views.map((v) => v.buffer === read.buffer)).toEqual(parts.map(() => true));
    const object = basic();
    object.program('count').testRun({ data: FRAME, repeat: 7 });
    const percpu = object.map('percpu');
    const counts = percpu.perCpu(percpu.lookup(u32(0))!).map((v) => v[0]!);
    expect(counts).toHaveLength(possibleCpus());
    expect(counts.reduce((a, b) => a + b)).toBe(7);
  });

  it('of the wrong number or size are refused; a map without them has one', () => {
    const map = create({ type: 'percpu_array', valueSize: 12 });
    const wrong = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    expect(() => map.fromPerCpu([])).toThrow(wrong);
    expect(() => map.fromPerCpu(Array(possibleCpus()).fill(new Uint8Array(16)))).toThrow(wrong);
    expect(() => map.perCpu(new Uint8Array(12))).toThrow(wrong);
    expect(create({}).perCpu(u32(9))).toEqual([u32(9)]);
  });
});

describe('sizes', () => {
  it('wrong ones never reach the kernel', () => {
    const map = create({ valueSize: 8 });
    const wrong = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    for (const n of [0, 3, 5]) {
      expect(() => map.lookup(new Uint8Array(n))).toThrow(wrong);
      expect(() => map.update(new Uint8Array(n), new Uint8Array(8))).toThrow(wrong);
      expect(() => map.delete(new Uint8Array(n))).toThrow(wrong);
    }
    for (const n of [0, 7, 9]) {
      expect(() => map.lookup(u32(0), new Uint8Array(n))).toThrow(wrong);
      expect(() => map.update(u32(0), new Uint8Array(n))).toThrow(wrong);
    }
    expect(() => Object.assign(map.info, { valueSize: 1 })).toThrow(TypeError);
  });

  it('a getter that lies is found out', () => {
    class Liar extends Uint8Array {
      override get byteLength(): number {
        return 8;
      }
    }
    const map = create({ valueSize: 8 });
    expect(() => map.lookup(u32(0), new Liar(1))).toThrow(/value is 1 bytes long, not 8/);
    expect(() => map.update(u32(0), new Liar(1))).toThrow(/value is 1 bytes long, not 8/);
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const wrong = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    expect(() => map.lookup(u32(0), detached)).toThrow(wrong);
    for (const nonsense of [null, 7, 'four', { byteLength: 4 }, [0, 0, 0, 0]] as unknown as Uint8Array[]) {
      expect(() => map.lookup(nonsense)).toThrow(wrong);
      expect(() => map.update(nonsense, new Uint8Array(8))).toThrow(wrong);
      expect(() => map.update(u32(0), nonsense)).toThrow(wrong);
      expect(() => map.delete(nonsense)).toThrow(wrong);
    }
  });
});

describe('descriptors', () => {
  it('a closed map says so', () => {
    const map = create({ flags: 1024 });
    map.close();
    map.close();
    for (const use of [
      () => map.lookup(u32(0)),
      () => map.update(u32(0), u32(0)),
      () => map.delete(u32(0)),
      () => [...map.keys()],
      () => map.fd,
      () => map.lookupAndDelete(u32(0)),
      () => [...map.entries()],
      () => map.readAll(),
      () => map.lookupAndDeleteAll(),
      () => map.updateBatch(u32(0), u32(0)),
      () => map.deleteBatch(u32(0)),
      () => map.freeze(),
      () => map.frozen,
      () => map.memlock,
      () => map.mmap(),
      () => map.mmapShared(),
      () => map.pin('/sys/fs/bpf/x'),
    ])
      expect(use).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
  });

  it('those of other things are no maps, and stay open', () => {
    const object = basic();
    using event = new EventFd();
    for (const fd of [object.program('count').fd, event.fd, 987_654, -1])
      expect(() => BpfMap.fromFd(fd)).toThrow(expect.objectContaining({ code: 'BPF_MAP' }));
    expect(() => Program.fromFd(object.map('cells').fd)).toThrow(
      expect.objectContaining({ code: 'BPF_LOAD' }),
    );
    closeFd(dupFd(event.fd));
  });

  it('a specification that the kernel refuses', () => {
    expect(() => create({ maxEntries: 0 })).toThrow(expect.objectContaining(bpfError('BPF_MAP', 'EINVAL')));
    expect(() => create({ maxEntries: -1 })).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
    expect(() => create({ name: 'a\0b' })).toThrow(/NUL/);
  });
});
