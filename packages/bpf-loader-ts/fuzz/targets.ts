import {
  type AnyCodec,
  BpfError,
  Btf,
  codecOf,
  decode,
  encode,
  generate,
  layoutOf,
  parseSpec,
} from 'bpf-loader-ts';
import { mutate, mutateRaw } from './mutate.js';
import type { Random } from './random.js';

/** What became of one input: an error's code, or `fine`. Anything but a BpfError is thrown on. */
export type Outcome = string;

function outcome(fn: () => void): Outcome {
  try {
    fn();
    return 'fine';
  } catch (e) {
    if (e instanceof BpfError) return e.code;
    throw e;
  }
}

/** Larger values would only take time. */
const VALUE_MAX = 4096;

/** Any bytes can be read, what was read can be written, and is then read again as it was. */
function roundTrip(codec: AnyCodec, random: Random): void {
  if (codec.size > VALUE_MAX) return;
  const first = decode(codec, random.bytes(codec.size));
  try {
    const again = decode(codec, encode(codec, first));
    const third = decode(codec, encode(codec, again));
    if (JSON.stringify(again, plain) !== JSON.stringify(third, plain))
      throw new Error(`${codec.name} does not survive`);
  } catch (e) {
    // Bytes that are no UTF-8 grow when they are text; a structure without members has none to write.
    if (!(e instanceof BpfError) || !/string of at most|give one member/.test(e.message)) throw e;
  }
  // What is not a value of the type is refused.
  for (const wrong of [
    undefined,
    null,
    Symbol('x'),
    () => 0,
    'text',
    Number.NaN,
    -1,
    2n ** 200n,
    [],
    {},
    new Uint8Array(3),
  ])
    outcome(() => void encode(codec, wrong));
}

const plain = (_: string, v: unknown): unknown => (typeof v === 'bigint' ? `${v}n` : v);

/** A damaged object file: parsed, its module written, now and then loaded into the kernel. */
export function elf(object: Uint8Array, random: Random, load: boolean): Outcome {
  return outcome(() => {
    const spec = parseSpec(mutate(object, random));
    layoutOf(spec);
    outcome(() => void generate(spec));
    for (const v of spec.variables) outcome(() => roundTrip(codecOf(spec.btf, v.type, v.name), random));
    for (const m of spec.maps)
      for (const type of [m.keyType, m.valueType])
        if (type !== 0) outcome(() => roundTrip(codecOf(spec.btf, type, m.name), random));
    if (!load) return;
    // No more memory than the sources ask for: sizes may have become gigabytes.
    if (spec.maps.some((m) => m.maxEntries * (m.keySize + m.valueSize) > 1 << 26)) return;
    using loaded = spec.load();
    for (const v of spec.variables) outcome(() => void loaded.variable(v.name).get());
  });
}

/** Damaged type information. */
export function btf(raw: Uint8Array, random: Random): Outcome {
  return outcome(() => {
    const types = new Btf(mutateRaw(raw, random));
    types.types.forEach((t, id) => {
      types.size(id);
      if (t.kind === 'struct' || t.kind === 'union' || t.kind === 'array')
        outcome(() => roundTrip(codecOf(types, id, `type ${id}`), random));
    });
  });
}

/** Types made up at random, well formed: structures within structures, bitfields, unions, arrays. */
export function madeUp(random: Random): Outcome {
  return outcome(() => {
    const types = new Btf(randomBtf(random));
    for (let id = 1; id < types.types.length; id++)
      outcome(() => roundTrip(codecOf(types, id, `type ${id}`), random));
  });
}

function randomBtf(random: Random): Uint8Array {
  const words: number[] = [];
  const sizes: number[] = [0];
  const integers: number[] = [];
  const names = new TextEncoder().encode(
    `\0${Array.from({ length: 26 }, (_, i) => `m${i}\0`).join('')}char\0`,
  );
  const name = (i: number): number => (i < 10 ? 1 + 3 * i : 1 + 30 + 4 * (i - 10));
  const CHAR = 1 + 30 + 4 * 16;
  const add = (size: number, ...w: number[]): number => {
    words.push(...w.map((x) => x >>> 0));
    sizes.push(size);
    return sizes.length - 1;
  };
  for (const size of [1, 2, 4, 8, 16])
    for (const encoding of [0, 1])
      integers.push(add(size, name(size % 26), 1 << 24, size, (encoding << 24) | (8 * size)));
  add(1, CHAR, 1 << 24, 1, (1 << 24) | 8);
  add(1, name(3), 1 << 24, 1, (4 << 24) | 8);
  for (let i = 2 + random.below(12); i > 0; i--) {
    const of = 1 + random.below(sizes.length - 1);
    switch (random.below(5)) {
      case 0: {
        const length = random.below(5);
        add(sizes[of]! * length, 0, 3 << 24, 0, of, 1, length);
        break;
      }
      case 1:
        add(sizes[of]!, name(random.below(26)), 8 << 24, of);
        break;
      case 2:
        add(4, name(random.below(26)), ((6 << 24) | 2) >>> 0, 4, name(1), 0, name(2), random.next());
        break;
      default: {
        const union = random.chance(3);
        const bitfields = random.chance(2);
        const members: number[] = [];
        let at = 0;
        let size = 0;
        const n = random.below(6);
        for (let m = 0; m < n; m++) {
          const bit = bitfields && random.chance(2);
          const type = bit ? random.pick(integers) : 1 + random.below(sizes.length - 1);
          const width = bit ? 1 + random.below(Math.min(64, 8 * sizes[type]!)) : 0;
          if (!bit) at = (at + 7) & ~7;
          const offset = union ? 0 : at;
          members.push(
            random.chance(6) && !bit ? 0 : name(m + 6 * random.below(4)),
            type,
            bitfields ? (width << 24) | offset : offset,
          );
          at = offset + (bit ? width : 8 * sizes[type]!);
          size = Math.max(size, Math.ceil(at / 8));
        }
        const kind = ((union ? 5 : 4) << 24) | n | (bitfields ? 1 << 31 : 0);
        add(size, random.chance(4) ? 0 : name(random.below(26)), kind, size, ...members);
      }
    }
  }
  const bytes = new Uint8Array(24 + 4 * words.length + names.length);
  const view = new DataView(bytes.buffer);
  [0x0001eb9f, 24, 0, 4 * words.length, 4 * words.length, names.length, ...words].forEach((w, i) => {
    view.setUint32(4 * i, w, true);
  });
  bytes.set(names, 24 + 4 * words.length);
  return bytes;
}
