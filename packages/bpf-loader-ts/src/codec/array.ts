import { type Codec, refuseValue } from './codec.js';

/** An array; writing takes as many elements as there are. */
export const array = <T, I>(element: Codec<T, I>, length: number): Codec<T[], readonly I[]> => ({
  name: `${element.name}[${length}]`,
  size: element.size * length,
  read(view, at) {
    const all: T[] = [];
    for (let i = 0; i < length; i++) all.push(element.read(view, at + i * element.size));
    return all;
  },
  write(view, at, value, path) {
    if (!Array.isArray(value) || value.length !== length)
      throw refuseValue(path, value, `an array of ${length}`);
    for (let i = 0; i < length; i++) element.write(view, at + i * element.size, value[i]!, `${path}[${i}]`);
  },
});

/** An array of bytes, copied. */
export const bytes = (length: number): Codec<Uint8Array<ArrayBuffer>, Uint8Array> => ({
  name: `__u8[${length}]`,
  size: length,
  read(view, at) {
    const copy = new Uint8Array(length);
    for (let i = 0; i < length; i++) copy[i] = view.getUint8(at + i);
    return copy;
  },
  write(view, at, value, path) {
    if (!(value instanceof Uint8Array) || value.length !== length)
      throw refuseValue(path, value, `a Uint8Array of ${length}`);
    for (let i = 0; i < length; i++) view.setUint8(at + i, value[i]!);
  },
});

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Text in UTF-8 up to its first NUL; one that fills the array has none. Bytes that are no UTF-8 read as U+FFFD. */
export const chars = (length: number): Codec<string> => {
  const raw = bytes(length);
  return {
    name: `char[${length}]`,
    size: length,
    read(view, at) {
      const all = raw.read(view, at);
      const end = all.indexOf(0);
      return decoder.decode(end < 0 ? all : all.subarray(0, end));
    },
    write(view, at, value, path) {
      if (typeof value !== 'string') throw refuseValue(path, value, 'a string');
      if (value.includes('\0')) throw refuseValue(path, value, 'a string without NUL');
      const text = encoder.encode(value);
      if (text.length > length)
        throw refuseValue(path, value, `a string of at most ${length} bytes: it has ${text.length}`);
      const padded = new Uint8Array(length);
      padded.set(text);
      raw.write(view, at, padded, path);
    },
  };
};
