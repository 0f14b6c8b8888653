import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError, Btf, codecOf, parseSpec } from 'bpf-loader-ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile, tempFolder, VFAILOVER_O } from './helpers.js';
import { walks } from './walks.js';

interface Dumped {
  id: number;
  kind: string;
  name: string;
  size?: number;
  type_id?: number;
  nr_elems?: number;
  nr_bits?: number;
  encoding?: string;
  members?: { name: string; type_id: number; bits_offset: number; bitfield_size?: number }[];
  values?: { name: string; val: number }[];
}

/** What bpftool says of the types in a file. */
const dump = (path: string): Dumped[] =>
  (
    JSON.parse(
      execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', path], { encoding: 'utf8', maxBuffer: 1 << 30 }),
    ) as { types: Dumped[] }
  ).types;

const rawBtf = (object: string): Uint8Array<ArrayBuffer> => {
  const out = join(tempFolder(), 'raw.btf');
  execFileSync('llvm-objcopy', ['--dump-section', `.BTF=${out}`, object, '/dev/null']);
  return new Uint8Array(readFileSync(out));
};

const named = (name: string): string => (name === '(anon)' ? '' : name);

/** Compares every type of `btf` with bpftool's account; returns how many structures and unions up to `limit` bytes there were. */
function compare(btf: Btf, types: Dumped[], limit: number): number {
  const byId = new Map(types.map((t) => [t.id, t]));
  const size = (id: number): number => {
    const t = byId.get(id);
    if (!t || t.kind.startsWith('FUNC') || t.kind === 'FWD') return 0;
    if (t.kind === 'PTR') return 8;
    if (t.kind === 'ARRAY') return t.nr_elems! * size(t.type_id!);
    return t.size ?? size(t.type_id!);
  };
  expect(btf.types.length).toBe(types.length + 1);
  let compared = 0;
  for (const t of types) {
    const ours = btf.types[t.id]!;
    if (ours.name !== named(t.name)) expect(ours.name, `type ${t.id}`).toBe(named(t.name));
    if (t.kind === 'INT') expect(ours, t.name).toMatchObject({ kind: 'int', size: t.size, bits: t.nr_bits });
    if (t.kind === 'ENUM') {
      const values = ours.kind === 'enum' ? ours.values : [];
      expect(values.map((v) => v.name)).toEqual(t.values!.map((v) => v.name));
      // bpftool extends the sign of unsigned ones from 2^31 on, and JSON rounds what comes of it.
      for (const [i, v] of t.values!.entries())
        if (Number.isSafeInteger(v.val)) expect(Number(values[i]!.value), v.name).toBe(v.val);
        else expect(values[i]!.value, v.name).toBeGreaterThanOrEqual(2n ** 31n);
    }
    if (!t.members || t.size! > limit) continue;
    if (ours.kind !== 'struct' && ours.kind !== 'union') throw new Error(`${t.name} is a ${ours.kind}`);
    const what = {
      size: ours.size,
      members: ours.members.map((m) => [m.name, m.bitOffset, m.bitSize, btf.size(m.type)]),
    };
    const want = {
      size: t.size,
      members: t.members.map((m) => [named(m.name), m.bits_offset, m.bitfield_size ?? 0, size(m.type_id)]),
    };
    // toEqual of ten thousand of them takes seconds.
    if (JSON.stringify(what) !== JSON.stringify(want)) expect(what, `${t.kind} ${t.name}`).toEqual(want);
    compared++;
  }
  return compared;
}

describe('every structure is as bpftool tells it', () => {
  it.each([
    ['vfailover', () => VFAILOVER_O],
    ['basic', () => compile('basic')],
  ])('of %s', (_, path) => {
    expect(compare(new Btf(rawBtf(path())), dump(path()), 1 << 20)).toBeGreaterThan(2);
  });

  it('of the running kernel, up to 512 bytes; codecs agree or name what has no value', () => {
    const path = '/sys/kernel/btf/vmlinux';
    const btf = new Btf(readFileSync(path));
    expect(compare(btf, dump(path), 512)).toBeGreaterThan(5000);
    let whole = 0;
    const view = new DataView(new Uint8Array(512).fill(0xa5).buffer);
    const copy = new DataView(new ArrayBuffer(512));
    btf.types.forEach((t, id) => {
      if ((t.kind !== 'struct' && t.kind !== 'union') || t.size > 512 || t.size === 0) return;
      try {
        const codec = codecOf(btf, id, t.name);
        expect(codec.size).toBe(t.size);
        const value = codec.read(view, 0);
        if (Object.keys(value).length > 0) codec.write(copy, 0, value, t.name);
        whole++;
      } catch (e) {
        // Bytes of 0xa5 are no UTF-8, so text of several bytes grows: that is the only value which cannot go back.
        if (!(e instanceof BpfError) || !['BPF_UNSUPPORTED', 'BPF_ARGUMENT'].includes(e.code)) throw e;
        expect(e.message).toMatch(
          /pointer|kind (fwd|func|void)|cannot be a property|not a string of at most|bits in|without a size/,
        );
      }
    });
    expect(whole).toBeGreaterThan(1000);
  });
});

describe('queries', () => {
  const btf = new Btf(readFileSync('/sys/kernel/btf/vmlinux'));

  it('find, resolve and size', () => {
    const { id, type } = btf.find('struct', 'sk_buff')!;
    expect(type.size).toBe(btf.size(id));
    const u64 = btf.find('typedef', '__u64')!;
    expect(btf.resolve(u64.id).type).toMatchObject({ kind: 'int', size: 8, encoding: 'unsigned' });
    expect(btf.find('struct', 'of_nobody')).toBeUndefined();
    expect(() => btf.type(1 << 30)).toThrow(expect.objectContaining({ code: 'BPF_ARGUMENT' }));
    expect(btf.section('.of_nobody')).toEqual([]);
  });

  it('fields are named as in C, through anonymous structures and unions', () => {
    const { type } = btf.find('struct', 'iphdr')!;
    const fields = btf.fields(type);
    expect(fields.find((f) => f.name === 'ihl')).toMatchObject({ bitOffset: 0, bitSize: 4, shared: false });
    expect(fields.find((f) => f.name === 'version')).toMatchObject({ bitOffset: 4, bitSize: 4 });
    expect(fields.find((f) => f.name === 'saddr')).toMatchObject({ bitOffset: 96, shared: true });
  });
});

describe('damaged type information', () => {
  it('random mutations neither hang nor crash the parser', () => {
    const raw = rawBtf(VFAILOVER_O);
    const use = (bytes: Uint8Array): void => {
      const btf = new Btf(bytes);
      btf.types.forEach((t, id) => {
        btf.size(id);
        if (t.kind !== 'struct' && t.kind !== 'union') return;
        try {
          codecOf(btf, id, t.name);
        } catch (e) {
          if (!(e instanceof BpfError)) throw e;
        }
      });
      btf.section('.rodata');
    };
    use(raw);
    let refused = 0;
    const place = fc.oneof({ weight: 3, arbitrary: fc.nat(raw.length - 1) }, fc.nat(23));
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 255, 1));
    const length = fc.oneof({ weight: 7, arbitrary: fc.constant(raw.length) }, fc.nat(raw.length));
    const damage = fc.array(fc.tuple(place, byte), { minLength: 1, maxLength: 6 });
    const property = fc.property(length, damage, (kept, changes) => {
      const bytes = raw.slice(0, kept);
      for (const [at, to] of changes) if (at < kept) bytes[at] = to;
      try {
        use(bytes);
      } catch (e) {
        expect(e).toBeInstanceOf(BpfError);
        expect((e as BpfError).code).toBe('BPF_OPEN');
        refused++;
      }
    });
    fc.assert(property, walks(3000));
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
  const INT = [0, 1 << 24, 4, 32];
  const TYPEDEF = 8 << 24;
  const STRUCT = (4 << 24) | 1;
  const STRUCT2 = (4 << 24) | 2;
  const BITS = (STRUCT | (1 << 31)) >>> 0;
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
    ['a member outside of its structure', made(...INT, 1, STRUCT, 4, 1, 1, 8)],
    ['a bitfield outside of its structure', made(...INT, 1, BITS, 4, 1, 1, (5 << 24) | 30)],
    ['a member that begins within a byte', made(...INT, 1, STRUCT, 8, 1, 1, 4)],
    ['an integer of more bits than its bytes', made(0, 1 << 24, 4, 64)],
    ['an integer of three bytes', made(0, 1 << 24, 3, 24)],
    ['an array larger than any memory', made(...INT, 0, ARRAY, 0, 1, 1, 0xffffffff)],
  ])('%s is refused', (_, bytes) => {
    expect(() => new Btf(bytes)).toThrow(expect.objectContaining({ code: 'BPF_OPEN' }));
  });

  it('anonymous structures within each other, 2^40 members, are refused at once', () => {
    const types = [...INT];
    // Each is a structure of two anonymous members of the one before, all at one place and of one size.
    for (let level = 0; level < 40; level++)
      types.push(0, (5 << 24) | 2, 4, 0, 1 + level, 0, 0, 1 + level, 0);
    const btf = new Btf(made(...types, 1, STRUCT2, 4, 0, 41, 0, 0, 41, 0));
    const { id } = btf.find('struct', 'a')!;
    expect(() => codecOf(btf, id, 'a')).toThrow(expect.objectContaining({ code: 'BPF_UNSUPPORTED' }));
  });

  it('nothing at all is an object without types', () => {
    expect(new Btf().types).toHaveLength(1);
    expect(() => new Btf(new ArrayBuffer(0))).toThrow(expect.objectContaining({ code: 'BPF_OPEN' }));
  });

  it('of the other byte order it says so', () => {
    const bytes = rawBtf(VFAILOVER_O);
    bytes.subarray(0, 2).reverse();
    expect(() => new Btf(bytes)).toThrow(/other byte order/);
    expect(parseSpec(VFAILOVER_O).btf.types.length).toBeGreaterThan(10);
  });
});
