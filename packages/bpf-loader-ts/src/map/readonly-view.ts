import { BpfError } from '../errors.js';

const refuse = (): never => {
  throw new BpfError('BPF_READONLY', 'this memory is read-only');
};

/**
 * A DataView that cannot store: memory mapped read-only answers a store with SIGSEGV. Not a subclass, since DataView's own setters
 * could be borrowed for one. Throws TypeError once the mapping is closed, RangeError outside of it.
 */
export class ReadOnlyView implements DataView<ArrayBuffer> {
  readonly #view: DataView;
  readonly [Symbol.toStringTag] = 'DataView' as const;

  constructor(buffer: ArrayBuffer, byteOffset = 0) {
    this.#view = new DataView(buffer, byteOffset);
  }

  /** Bytes. */
  get byteLength(): number {
    return this.#view.byteLength;
  }
  /** Bytes from the start of the mapping. */
  get byteOffset(): number {
    return this.#view.byteOffset;
  }
  /** Throws: a typed array over it could store. */
  get buffer(): ArrayBuffer {
    return refuse();
  }

  getInt8(byteOffset: number): number {
    return this.#view.getInt8(byteOffset);
  }
  getUint8(byteOffset: number): number {
    return this.#view.getUint8(byteOffset);
  }
  getInt16(byteOffset: number, littleEndian?: boolean): number {
    return this.#view.getInt16(byteOffset, littleEndian);
  }
  getUint16(byteOffset: number, littleEndian?: boolean): number {
    return this.#view.getUint16(byteOffset, littleEndian);
  }
  getInt32(byteOffset: number, littleEndian?: boolean): number {
    return this.#view.getInt32(byteOffset, littleEndian);
  }
  getUint32(byteOffset: number, littleEndian?: boolean): number {
    return this.#view.getUint32(byteOffset, littleEndian);
  }
  getFloat32(byteOffset: number, littleEndian?: boolean): number {
    return this.#view.getFloat32(byteOffset, littleEndian);
  }
  getFloat64(byteOffset: number, littleEndian?: boolean): number {
    return this.#view.getFloat64(byteOffset, littleEndian);
  }
  getBigInt64(byteOffset: number, littleEndian?: boolean): bigint {
    return this.#view.getBigInt64(byteOffset, littleEndian);
  }
  getBigUint64(byteOffset: number, littleEndian?: boolean): bigint {
    return this.#view.getBigUint64(byteOffset, littleEndian);
  }

  /** A copy of some bytes. */
  slice(byteOffset: number, length: number): Uint8Array {
    return new Uint8Array(
      this.#view.buffer.slice(
        this.#view.byteOffset + byteOffset,
        this.#view.byteOffset + byteOffset + length,
      ),
    );
  }

  setInt8(): never {
    return refuse();
  }
  setUint8(): never {
    return refuse();
  }
  setInt16(): never {
    return refuse();
  }
  setUint16(): never {
    return refuse();
  }
  setInt32(): never {
    return refuse();
  }
  setUint32(): never {
    return refuse();
  }
  setFloat32(): never {
    return refuse();
  }
  setFloat64(): never {
    return refuse();
  }
  setBigInt64(): never {
    return refuse();
  }
  setBigUint64(): never {
    return refuse();
  }
}
