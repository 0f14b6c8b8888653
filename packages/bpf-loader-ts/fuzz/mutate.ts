import type { Random } from './random.js';

const SHDR = 64;

/** Places that a reader follows: what to damage so that the damage is not merely refused as noise. */
interface Places {
  /** Byte ranges [from, to). */
  ranges: [number, number][];
}

/** The tables of an object file: header, section headers, symbols, relocations, BTF, strings. */
function placesOf(bytes: Uint8Array): Places {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = Number(view.getBigUint64(40, true));
  const n = view.getUint16(60, true);
  const ranges: [number, number][] = [
    [0, 64],
    [table, table + n * SHDR],
  ];
  for (let i = 1; i < n; i++) {
    const at = table + i * SHDR;
    const from = Number(view.getBigUint64(at + 24, true));
    const size = Number(view.getBigUint64(at + 32, true));
    if (view.getUint32(at + 4, true) !== 8 && size > 0) ranges.push([from, from + size]);
  }
  return { ranges };
}

const INTERESTING = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
  0x80000000, 0xffffffff,
];

/** Changes a few words, bytes or bits of a copy, copies pieces over others, cuts the end off. */
export function mutate(source: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let bytes = Uint8Array.from(source);
  const { ranges } = placesOf(source);
  for (let changes = 1 + random.below(random.chance(4) ? 16 : 3); changes > 0; changes--) {
    const [from, to] = random.pick(ranges);
    const view = new DataView(bytes.buffer);
    const at = Math.min(from + random.below(Math.max(1, to - from)), bytes.length - 1);
    const word = Math.min(at & ~3, bytes.length - 4);
    switch (random.below(7)) {
      case 0:
        bytes[at] = random.next() & 255;
        break;
      case 1:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 2:
        view.setUint32(word, random.pick(INTERESTING), true);
        break;
      case 3:
        // A little more or less: an index or a length that is just wrong.
        view.setUint32(word, view.getUint32(word, true) + random.below(9) - 4, true);
        break;
      case 4:
        view.setUint16(at & ~1, random.pick(INTERESTING), true);
        break;
      case 5: {
        const length = Math.min(1 + random.below(64), bytes.length - at);
        const other = random.below(bytes.length - length);
        bytes.copyWithin(at, other, other + length);
        break;
      }
      default:
        view.setUint32(word, random.below(bytes.length), true);
    }
  }
  if (random.chance(12)) bytes = bytes.slice(0, random.below(bytes.length));
  return bytes;
}

/** Likewise for bytes without an ELF around them. */
export function mutateRaw(source: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(source);
  const view = new DataView(bytes.buffer);
  for (let changes = 1 + random.below(6); changes > 0; changes--) {
    const word = 4 * random.below(bytes.length >>> 2);
    switch (random.below(4)) {
      case 0:
        bytes[random.below(bytes.length)] = random.next() & 255;
        break;
      case 1:
        view.setUint32(word, view.getUint32(word, true) + random.below(9) - 4, true);
        break;
      default:
        view.setUint32(word, random.pick(INTERESTING), true);
    }
  }
  return random.chance(10) ? bytes.slice(0, random.below(bytes.length)) : bytes;
}
