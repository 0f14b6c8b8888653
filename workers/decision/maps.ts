import { BpfMap, type Mapping, RingBuffer } from 'bpf-loader-ts';
import type { DecisionTask } from '../../src/shard/protocol.js';

/** The programs' maps in a decision thread: mapped into its memory, over duplicates of the process's descriptors. */
export class ShardMaps {
  readonly lines: Int32Array;
  readonly counters: Int32Array;
  readonly watches: Int32Array;
  readonly probes: Int32Array;
  readonly bfd: Int32Array;
  readonly events: RingBuffer;
  readonly #maps: BpfMap[] = [];
  readonly #mappings: Mapping[] = [];

  constructor(task: DecisionTask, dup: (fd: number) => number) {
    const open = (fd: number): BpfMap => {
      const map = BpfMap.fromFd(dup(fd));
      this.#maps.push(map);
      return map;
    };
    const words = (fd: number): Int32Array => {
      const mapping = open(fd).mmap();
      this.#mappings.push(mapping);
      return mapping.int32();
    };
    this.lines = words(task.linesFd);
    this.counters = words(task.countersFd);
    this.watches = words(task.watchesFd);
    this.probes = words(task.probesFd);
    this.bfd = words(task.bfdFd);
    this.events = new RingBuffer(open(task.eventsFd));
  }

  close(): void {
    this.events.close();
    for (const m of this.#mappings) m.close();
    for (const m of this.#maps) m.close();
  }
}
