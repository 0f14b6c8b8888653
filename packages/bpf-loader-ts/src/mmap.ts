import { native } from './binding.js';
import { BpfError, wrap } from './errors.js';

/**
 * A piece of a map's memory. Reading costs a load, not a system call. `close()` unmaps at once and empties every view of it (a view
 * then reads `undefined`); the garbage collector would do so too late.
 */
export class Mapping implements Disposable {
  readonly buffer: ArrayBuffer;
  readonly writable: boolean;

  /** Maps `length` bytes of `fd` from `offset` (a multiple of the page size). A map needs BPF_F_MMAPABLE (Linux 5.5). */
  constructor(fd: number, length: number, offset = 0, writable = true) {
    this.buffer = wrap('BPF_MAP', `mmap of ${length} bytes`, () => native.mmap(fd, length, offset, writable));
    this.writable = writable;
  }

  #write(): ArrayBuffer {
    // A store into a read-only mapping is SIGSEGV, so no view of one is ever handed out.
    if (!this.writable) throw new BpfError('BPF_ARGUMENT', 'the mapping is read-only: use the reading accessors');
    return this.buffer;
  }

  int32(): Int32Array {
    return new Int32Array(this.#write());
  }
  uint32(): Uint32Array {
    return new Uint32Array(this.#write());
  }
  uint8(): Uint8Array {
    return new Uint8Array(this.#write());
  }
  float64(): Float64Array {
    return new Float64Array(this.#write());
  }
  bigUint64(): BigUint64Array {
    return new BigUint64Array(this.#write());
  }
  view(): DataView {
    return new DataView(this.#write());
  }

  close(): void {
    if (this.buffer.byteLength > 0) native.munmap(this.buffer);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
