import { clockMonotonic } from 'bpf-loader-ts/sys';

/** Words of the block that a wire shares with its thread; the thread's own follow at WIRE.port. */
export const WIRE = {
  stop: 0,
  /** Identifier of the running stream; 0: none. */
  stream: 1,
  /** Nanoseconds between two frames to the guest; 0: none is sent. */
  interval_ns: 2,
  /** Frames sent to the guest by the running stream. */
  sent: 3,
  /** Of the guest's frames those that arrived: any number, again, and after a higher one. */
  received: 4,
  duplicated: 5,
  reordered: 6,
  /** Highest number that arrived + 1. */
  numbers: 7,
  /** The stream that the thread is at. */
  running: 8,
  /** Announcements heard so far. */
  announcements: 9,
  port: 16,
} as const;
export const PORT_WORDS = 8;
/** Paths are bits of a byte. */
export const PORTS_MAX = 8;
/** Bits of a port's hole. */
export const HOLE_TO_GUEST = 1;
export const HOLE_FROM_GUEST = 2;
export const WIRE_WORDS = WIRE.port + PORTS_MAX * PORT_WORDS;

/** Frames of the longest stream, each way. */
export const FRAMES_MAX = 1 << 17;
export const STREAM_PORT = 7412;
/** A datagram of a stream: {u32 magic, u32 stream, u32 number}, then nothing of interest up to this length. */
export const STREAM_BYTES = 64;
export const MAGIC = 0x56464c52;
/** A thread with nothing to send looks at its words so often, µs. */
const IDLE_US = 100_000;

export interface FarEndTask {
  control: SharedArrayBuffer;
  /** By number of the frame, ns: when each went to the guest, when each came from it (0: never). */
  sentAt: SharedArrayBuffer;
  cameAt: SharedArrayBuffer;
  wakeFd: number;
}

/** The station's part in a numbered stream, whatever carries it: paces what is sent, stamps what came. */
export class FarEnd {
  readonly #control: Int32Array;
  readonly #sentAt: Float64Array;
  readonly #cameAt: Float64Array;
  readonly #clock = new Float64Array(1);
  #next = 0;

  constructor(task: FarEndTask) {
    this.#control = new Int32Array(task.control);
    this.#sentAt = new Float64Array(task.sentAt);
    this.#cameAt = new Float64Array(task.cameAt);
  }

  get stopped(): boolean {
    return Atomics.load(this.#control, WIRE.stop) !== 0;
  }

  /** Turns to the stream that is wanted now, if it is another; `prepare` is told of it before anybody knows that it runs. */
  begin(prepare: (stream: number) => void): void {
    const control = this.#control;
    const stream = Atomics.load(control, WIRE.stream);
    if (stream === control[WIRE.running]) return;
    if (stream !== 0) {
      for (const word of [WIRE.sent, WIRE.received, WIRE.duplicated, WIRE.reordered, WIRE.numbers])
        control[word] = 0;
      this.#sentAt.fill(0);
      this.#cameAt.fill(0);
      this.#next = 0;
      prepare(stream);
    }
    Atomics.store(control, WIRE.running, stream);
  }

  /** Sends what is due; returns the microseconds until the next. */
  send(emit: (number: number) => void): number {
    const control = this.#control;
    const interval = control[WIRE.interval_ns]!;
    if (control[WIRE.running] === 0 || interval === 0) return IDLE_US;
    for (;;) {
      clockMonotonic(this.#clock, 0);
      const now = this.#clock[0]!;
      if (this.#next === 0) this.#next = now;
      if (now < this.#next) return Math.ceil((this.#next - now) / 1000);
      const number = control[WIRE.sent]!;
      if (number >= FRAMES_MAX) return IDLE_US;
      // A sender that was held up for long does not catch up: a burst would measure queues.
      this.#next = now - this.#next > 20 * interval ? now + interval : this.#next + interval;
      this.#sentAt[number] = now;
      emit(number);
      Atomics.store(control, WIRE.sent, number + 1);
    }
  }

  /** The number in a datagram, if it is one of the running stream; else -1. */
  numberOf(v: DataView, at: number): number {
    if (v.getUint32(at, true) !== MAGIC || v.getUint32(at + 4, true) !== this.#control[WIRE.running])
      return -1;
    const number = v.getUint32(at + 8, true);
    return number < FRAMES_MAX ? number : -1;
  }

  /** The guest's frame of that number is here. */
  took(number: number): void {
    const control = this.#control;
    if (this.#cameAt[number] !== 0) {
      control[WIRE.duplicated]!++;
      return;
    }
    clockMonotonic(this.#cameAt, number);
    control[WIRE.received]!++;
    if (number < control[WIRE.numbers]!) control[WIRE.reordered]!++;
    else control[WIRE.numbers] = number + 1;
  }
}
