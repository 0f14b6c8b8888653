import type { Program } from '../program/program.js';
import { expectType, fdOf } from './kinds.js';
import type { BpfMap } from './map.js';
import { checkU32, word, words } from './u32.js';

/**
 * Programs that others of the same type jump to with bpf_tail_call: a map of type prog_array (Linux 4.2). Does not own the map. When the
 * last descriptor and pin of the map goes, the kernel empties it, even while programs use it.
 */
export class ProgramArray {
  readonly map: BpfMap;

  constructor(map: BpfMap) {
    expectType(map, 'ProgramArray', 'prog_array');
    this.map = map;
  }

  /** Puts a program there; BPF_MAP with EINVAL when those that use the map are of another type. */
  set(index: number, program: Program): void {
    this.map.update(words(checkU32('index', index)), words(fdOf('program', program)));
  }

  /** The kernel's number of the program there; undefined if there is none. */
  id(index: number): number | undefined {
    const value = this.map.lookup(words(checkU32('index', index)));
    return value && word(value, 0);
  }

  /** True if there was a program: a tail call to it goes on in the caller now. */
  delete(index: number): boolean {
    return this.map.delete(words(checkU32('index', index)));
  }
}
