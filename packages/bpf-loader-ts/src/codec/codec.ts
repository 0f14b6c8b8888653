import { BpfError } from '../errors.js';

/**
 * How values of one C type lie in memory, little endian. `T` is what reading gives, `I` what writing takes. Nothing here reads outside
 * of `size` bytes; a value that does not fit throws BPF_ARGUMENT with the path to it, and may leave the bytes before it written.
 */
export interface Codec<T, I = T> {
  /** As C has it: `struct vf_line`, `__u32`, `char[16]`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The value at `at` bytes. Throws RangeError outside of the memory. */
  read(view: DataView, at: number): T;
  /** `path` names the value in errors: `value.tx[0].packets`. */
  write(view: DataView, at: number, value: I, path: string): void;
}

/** What a codec reads. */
export type Value<C> = C extends Codec<infer T, never> ? T : never;
/** What a codec writes. */
// biome-ignore lint/suspicious/noExplicitAny: any codec, whatever it reads
export type Input<C> = C extends Codec<any, infer I> ? I : never;

/** A value in a message. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (value instanceof Uint8Array) return `a Uint8Array of ${value.length}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, 80);
}

export const refuseValue = (path: string, value: unknown, want: string): BpfError =>
  new BpfError('BPF_ARGUMENT', `${path} is ${show(value)}, not ${want}`);

/** The value that these bytes are. Throws BPF_ARGUMENT if there are not exactly as many as the type has. */
export function decode<T>(codec: Codec<T, never>, bytes: Uint8Array, what = 'the value'): T {
  if (bytes.byteLength !== codec.size)
    throw new BpfError(
      'BPF_ARGUMENT',
      `${what} is ${bytes.byteLength} bytes long, ${codec.name} has ${codec.size}`,
    );
  return codec.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

/** The bytes of a value, padding zero. Throws BPF_ARGUMENT naming the part that does not fit. */
export function encode<I>(codec: Codec<unknown, I>, value: I, what = 'value'): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(codec.size);
  codec.write(new DataView(bytes.buffer), 0, value, what);
  return bytes;
}
