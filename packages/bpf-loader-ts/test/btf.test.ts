import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError, BpfObject, Btf } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import { compile, own, seeded, tempFolder, VFAILOVER_O } from './helpers.js';

interface Dumped {
  id: number;
  kind: string;
  name: string;
  size?: number;
  type_id?: number;
  nr_elems?: number;
  members?: { name: string; type_id: number; bits_offset: number; bitfield_size?: number }[];
}

const rawBtf = (object: string): Uint8Array<ArrayBuffer> => {
  const out = join(tempFolder(), 'raw.btf');
  execFileSync('llvm-objcopy', ['--dump-section', `.BTF=${out}`, object, '/dev/null']);
  return new Uint8Array(readFileSync(out));
};

describe.each([
  ['vfailover', () => VFAILOVER_O],
  ['basic', () => compile('basic')],
])('the structures of %s', (_, path) => {
  it('are as bpftool tells them', () => {
    const dump = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', path()], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    const types = (JSON.parse(dump) as { types: Dumped[] }).types;
    const byId = new Map(types.map((t) => [t.id, t]));
    const size = (id: number): number => {
      const t = byId.get(id)!;
      if (t.kind === 'PTR') return 8;
      if (t.kind === 'ARRAY') return t.nr_elems! * size(t.type_id!);
      return t.size ?? size(t.type_id!);
    };
    const btf = own(new BpfObject(path())).btf;
    const structs = types.filter((t) => t.kind === 'STRUCT' && t.name !== '(anon)');
    expect(structs.length).toBeGreaterThan(2);
    expect(btf.structNames()).toEqual(structs.map((t) => t.name));
    let compared = 0;
    for (const t of structs) {
      if (t.members!.some((m) => m.bitfield_size)) {
        expect(() => btf.struct(t.name)).toThrow(/bitfield: not supported/);
        continue;
      }
      compared++;
      const members = t.members!.map((m) => ({
        name: m.name === '(anon)' ? '' : m.name,
        offset: m.bits_offset / 8,
        size: size(m.type_id),
      }));
      expect(btf.struct(t.name), t.name).toEqual({ size: t.size, members });
    }
    expect(compared).toBeGreaterThan(2);
    expect(btf.struct('of_nobody')).toBeUndefined();
    expect(btf.section('.of_nobody')).toEqual([]);
  });
});

describe('damaged type information', () => {
  it('random mutations neither hang nor crash the parser', () => {
    expect(existsSync(VFAILOVER_O)).toBe(true);
    const raw = rawBtf(VFAILOVER_O);
    const use = (bytes: Uint8Array): void => {
      const btf = new Btf(bytes);
      for (const name of btf.structNames()) {
        try {
          btf.struct(name);
        } catch (e) {
          if (!(e instanceof BpfError)) throw e;
        }
      }
      btf.section('.rodata');
    };
    use(raw);
    let refused = 0;
    for (let seed = 0; seed < 3000; seed++) {
      const next = seeded(seed);
      const bytes = raw.slice(0, seed % 8 === 0 ? next() % raw.length : raw.length);
      for (let i = next() % 6; i >= 0 && bytes.length > 0; i--)
        bytes[next() % (seed % 4 === 0 ? Math.min(24, bytes.length) : bytes.length)] = [
          next() & 255,
          0,
          255,
          1,
        ][next() % 4]!;
      try {
        use(bytes);
      } catch (e) {
        expect(e, `seed ${seed}`).toBeInstanceOf(BpfError);
        expect((e as BpfError).code).toBe('BPF_OPEN');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(500);
  });

  /** A header, these types, and the strings "" and "a". */
  const made = (...types: number[]): Uint8Array => {
    const words = [0x0001eb9f, 24, 0, 4 * types.length, 4 * types.length, 3, ...types];
    const bytes = new Uint8Array(4 * words.length + 3);
    words.forEach((w, i) => void new DataView(bytes.buffer).setUint32(4 * i, w, true));
    bytes[4 * words.length + 1] = 97;
    return bytes;
  };
  const TYPEDEF = 8 << 24;
  const STRUCT = (4 << 24) | 1;
  const ARRAY = 3 << 24;

  it.each([
    ['a typedef of itself', made(1, TYPEDEF, 1)],
    ['two typedefs of each other', made(1, TYPEDEF, 2, 1, TYPEDEF, 1)],
    ['a structure that holds itself', made(1, STRUCT, 4, 1, 1, 0)],
    ['an array of itself', made(0, ARRAY, 0, 1, 1, 2)],
    ['a type that does not exist', made(1, TYPEDEF, 9)],
    ['a kind that does not exist', made(1, 30 << 24, 0)],
    ['a name outside of the strings', made(3, TYPEDEF, 0)],
    ['a structure with fewer members than it says', made(1, (4 << 24) | 9, 4, 1, 0, 0)],
  ])('%s is refused', (_, bytes) => {
    expect(() => new Btf(bytes)).toThrow(expect.objectContaining({ code: 'BPF_OPEN' }));
  });

  it('nothing at all is an object without types', () => {
    expect(new Btf().structNames()).toEqual([]);
    expect(() => new Btf(new ArrayBuffer(0))).toThrow(expect.objectContaining({ code: 'BPF_OPEN' }));
  });
});
