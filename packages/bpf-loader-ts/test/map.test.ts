import { readFileSync } from 'node:fs';
import { BpfMap, type MapInfo, MapType, Program, possibleCpus } from 'bpf-loader-ts';
import { closeFd, dupFd, EventFd } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import { basic, bpfError, FRAME, own, u32 } from './helpers.js';

const create = (spec: Partial<Omit<MapInfo, 'id'>>): BpfMap =>
  own(
    BpfMap.create({
      type: MapType.array,
      name: 'test',
      keySize: 4,
      valueSize: 4,
      maxEntries: 8,
      flags: 0,
      ...spec,
    }),
  );

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
    expect(() => map.lookup(u32(0), detached)).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
  });
});

describe('descriptors', () => {
  it('a closed map says so', () => {
    const map = create({});
    map.close();
    map.close();
    for (const use of [
      () => map.lookup(u32(0)),
      () => map.update(u32(0), u32(0)),
      () => map.delete(u32(0)),
      () => [...map.keys()],
      () => map.fd,
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
