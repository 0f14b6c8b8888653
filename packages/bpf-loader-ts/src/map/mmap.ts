import '../sys/dispose.js';
import { native } from '../binding.js';
import { BpfError } from '../errors.js';
import { track } from '../leaks.js';
import { errnoOf, wrap } from '../wrap.js';
import { whyReadOnly } from './failed.js';
import { ReadOnlyView } from './readonly-view.js';

/** Bytes of a page of memory: the unit of mappings. */
export const PAGE_SIZE: number = native.pageSize();

/** Memory that can be stored to, of a map that may not be: told from a lack of permission. */
function mapWritable<T>(fd: number, doing: string, make: () => T): T {
  return wrap('BPF_MAP', doing, () => {
    try {
      return make();
    } catch (e) {
      const why = ['EPERM', 'EACCES'].includes(errnoOf(e) ?? '') ? whyReadOnly(fd) : undefined;
      if (why === undefined) throw e;
      throw new BpfError('BPF_READONLY', `${doing}: ${why}: map it with { writable: false }`, {
        errno: errnoOf(e)!,
        cause: e,
      });
    }
  });
}

/** @internal See BpfMap.mmapShared. */
export function mapShared(fd: number, length: number): SharedArrayBuffer {
  const doing = `shared mapping of ${length} bytes`;
  try {
    return mapWritable(fd, doing, () => native.mmapShared(fd, length, 0));
  } catch (e) {
    if (!(e instanceof BpfError) || e.errno !== 'ENOSYS') throw e;
    throw new BpfError(
      'BPF_UNSUPPORTED',
      `${doing}: Node ${process.version} cannot make a SharedArrayBuffer of given memory: it takes 22.23, 24.21 or 26.10`,
      { errno: 'ENOSYS', cause: e },
    );
  }
}

/** For the ring buffer alone, which keeps its typed arrays to itself and never stores through them. Not exported by the package. */
export let bufferOf: (mapping: Mapping) => ArrayBuffer;

/**
 * A piece of a map's memory. Reading costs a load, not a system call. `close()` unmaps at once and empties every view of it (a typed
 * array then reads `undefined`, a DataView throws); the garbage collector would do so too late.
 */
export class Mapping implements Disposable {
  readonly #buffer: ArrayBuffer;
  readonly #untrack: () => void;
  readonly writable: boolean;

  static {
    bufferOf = (mapping) => mapping.#buffer;
  }

  /**
   * Maps `length` bytes of the map `fd` from `offset` (both multiples of the page size). An array needs BPF_F_MMAPABLE (Linux 5.5).
   */
  constructor(fd: number, length: number, offset = 0, writable = true) {
    this.#buffer = mapWritable(fd, `mmap of ${length} bytes`, () =>
      native.mmap(fd, length, offset, writable),
    );
    this.#untrack = track(`mapping of ${length} bytes`);
    this.writable = writable;
  }

  /** The memory itself. Only of a writable mapping: a store into another would be SIGSEGV, so nothing that can store is handed out. */
  get buffer(): ArrayBuffer {
    if (!this.writable) throw new BpfError('BPF_READONLY', 'the mapping is read-only: use reader()');
    return this.#buffer;
  }

  /** True after close(), or when the memory was transferred to another thread. */
  get closed(): boolean {
    return this.#buffer.byteLength === 0;
  }

  /** All of it as words; throws BPF_READONLY, as the other views do. */
  int32(): Int32Array {
    return new Int32Array(this.buffer);
  }
  /** All of it as unsigned words. */
  uint32(): Uint32Array {
    return new Uint32Array(this.buffer);
  }
  /** All of it as bytes. */
  uint8(): Uint8Array {
    return new Uint8Array(this.buffer);
  }
  /** All of it as doubles. */
  float64(): Float64Array {
    return new Float64Array(this.buffer);
  }
  /** All of it as unsigned words of 64 bits. */
  bigUint64(): BigUint64Array {
    return new BigUint64Array(this.buffer);
  }
  /** All of it, for values of any type and place. */
  view(): DataView {
    return new DataView(this.buffer);
  }

  /** Reads of any mapping, live; its setters throw. */
  reader(offset = 0): ReadOnlyView {
    return new ReadOnlyView(this.#buffer, offset);
  }

  /** Unmaps. Again is harmless. */
  close(): void {
    this.#untrack();
    if (this.#buffer.byteLength > 0) native.munmap(this.#buffer);
  }

  /** close() */
  [Symbol.dispose](): void {
    this.close();
  }
}
