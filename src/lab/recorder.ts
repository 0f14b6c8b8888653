import { attachTcx, BpfObject, type Link, type Mapping } from 'bpf-loader-ts';
import { withNetns } from 'bpf-loader-ts/sys';
import { bpfObject } from '../paths.js';

/** What arrived of a numbered stream at one place. */
export interface Arrivals {
  received: number;
  duplicated: number;
  /** Frames that came after one with a higher number. */
  reordered: number;
  /** CLOCK_MONOTONIC ns by sequence number; 0: never came. */
  times: Float64Array;
}

/** Takes a stream's frames off a device's ingress and stamps them: a BPF program (bpf/lab.bpf.c), so the receiver costs no thread. */
export class Recorder {
  readonly #object: BpfObject;
  readonly #link: Link;
  readonly #state: Mapping;
  readonly #arrival: Mapping;
  readonly #words: Uint32Array;
  readonly capacity: number;

  /** `capacity`: the most frames of one stream. Attached last, so that it sees what the stack would. */
  constructor(options: { netns: number; ifindex: number; capacity: number }) {
    this.capacity = options.capacity;
    this.#object = new BpfObject(bpfObject('lab'), { name: 'lab' });
    this.#object.load({ maxEntries: { arrival: options.capacity }, skip: ['vf_blackhole'] });
    this.#state = this.#object.map('stream').mmap();
    this.#arrival = this.#object.map('arrival').mmap();
    this.#words = this.#arrival.uint32();
    const program = this.#object.program('vf_record');
    this.#link = withNetns(options.netns, () =>
      attachTcx(program, options.ifindex, 'ingress', { where: 'tail' }),
    );
  }

  /** Forgets everything and records this stream. */
  begin(stream: number): void {
    this.#state.uint32().fill(0);
    this.#words.fill(0);
    this.#state.view().setUint32(32, stream, true);
  }

  get received(): number {
    return Number(this.#state.view().getBigUint64(0, true));
  }

  /** What came of frames 0 … sent-1. */
  read(sent: number): Arrivals {
    const v = this.#state.view();
    const n = Math.min(sent, this.capacity);
    const times = new Float64Array(n);
    for (let i = 0; i < n; i++) times[i] = this.#words[2 * i + 1]! * 4294967296 + this.#words[2 * i]!;
    return {
      received: Number(v.getBigUint64(0, true)),
      duplicated: Number(v.getBigUint64(8, true)),
      reordered: Number(v.getBigUint64(16, true)),
      times,
    };
  }

  close(): void {
    this.#link.close();
    this.#state.close();
    this.#arrival.close();
    this.#object.close();
  }
}
