import type { MappedArray, Mapping } from 'bpf-loader-ts';
import { type Lab, lab, type VfStreamStateView } from '../../bpf/lab.bpf.js';
import { bpfObject } from '../../src/paths.js';
import { attachLast } from './attach-last.js';

/** What arrived of a numbered stream at one place. */
export interface Arrivals {
  received: number;
  duplicated: number;
  /** Frames that came after one with a higher number. */
  reordered: number;
  /** Frames of other streams, or with another tag. */
  foreign: number;
  /** Frames that were sent from here and came back. */
  returned: number;
  /** CLOCK_MONOTONIC ns by sequence number; 0: never came. */
  times: Float64Array;
}

/** Takes a stream's frames off a device's ingress and stamps them: a BPF program (bpf/lab.bpf.c), so the receiver costs no thread. */
export class Recorder {
  readonly #object: Lab;
  readonly #detach: () => void;
  readonly #states: MappedArray<VfStreamStateView>;
  readonly #state: VfStreamStateView;
  readonly #arrival: Mapping;
  readonly #words: Uint32Array;
  readonly capacity: number;

  /** `capacity`: the most frames of one stream. Attached last, so that it sees what the stack would. */
  constructor(options: { netns: number; ifindex: number; capacity: number }) {
    this.capacity = options.capacity;
    this.#object = lab.load(bpfObject('lab'), {
      maxEntries: { arrival: options.capacity },
      skip: ['vf_blackhole', 'vf_to_guest', 'vf_from_guest'],
    });
    this.#states = this.#object.maps.stream.mmap();
    this.#state = this.#states.at(0);
    this.#arrival = this.#object.maps.arrival.bytes.mmap();
    this.#words = this.#arrival.uint32();
    const program = this.#object.programs.vf_record;
    this.#detach = attachLast(program, options.netns, options.ifindex);
  }

  /** Forgets everything and records this stream, whose frames have the tag of `vlan` (0: none); `answer` sends each frame back. */
  begin(stream: number, { answer = false, vlan = 0 } = {}): void {
    this.#states.mapping.uint32().fill(0);
    this.#words.fill(0);
    this.#state.answer = answer ? 1 : 0;
    this.#state.vlan = vlan;
    this.#state.stream = stream;
  }

  get received(): number {
    return this.#state.receivedNumber;
  }

  /** What came of frames 0 … sent-1. */
  read(sent: number): Arrivals {
    const n = Math.min(sent, this.capacity);
    const times = new Float64Array(n);
    for (let i = 0; i < n; i++) times[i] = this.#words[2 * i + 1]! * 4294967296 + this.#words[2 * i]!;
    return {
      received: this.#state.receivedNumber,
      duplicated: this.#state.duplicatedNumber,
      reordered: this.#state.reorderedNumber,
      foreign: this.#state.foreignNumber,
      returned: this.#state.returnedNumber,
      times,
    };
  }

  close(): void {
    this.#detach();
    this.#states.close();
    this.#arrival.close();
    this.#object.close();
  }
}
