import { readU64 } from '../codec/scalar.js';
import { BpfError } from '../errors.js';
import { Mapping } from '../map/mmap.js';

/**
 * Where a program counts the records that found no room, since the kernel does not: a function that returns the number, or the place of a
 * u64 in mapped memory by byte offset: a `Variable` of the object, or an array's mapping.
 */
export type DroppedCount = (() => number) | { memory: Mapping | DataView; offset: number };

/** A function that reads the count. Throws BPF_ARGUMENT for a place that is not in the memory. */
export function droppedReader(count: DroppedCount): () => number {
  if (typeof count === 'function') return count;
  try {
    const view = count.memory instanceof Mapping ? count.memory.reader() : count.memory;
    const { offset } = count;
    const read = (): number => readU64(view, offset);
    if (!Number.isInteger(offset)) throw new RangeError('not a whole number');
    read();
    return read;
  } catch (e) {
    throw new BpfError(
      'BPF_ARGUMENT',
      `the place of the dropped count, offset ${count?.offset}, is not 8 bytes of open memory: ${(e as Error).message}`,
      { cause: e },
    );
  }
}
