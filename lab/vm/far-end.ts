import { clockMonotonic } from 'bpf-loader-ts/sys';
import { ETHERTYPE, PROTOCOL } from '../../src/frames/numbers.js';
import { HEAD_MAX, MAGIC, STREAM_BYTES, STREAM_PORT, TO_GUEST } from '../../workers/traffic.js';

export { MAGIC, STREAM_BYTES, STREAM_PORT, TO_GUEST };

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
  /** Bytes before the running stream's datagrams to the guest, and the tag of those from it (0: none). */
  head: 10,
  vlan: 11,
  /** A packet socket of the station's for whole frames; 0: datagrams of its UDP socket. */
  packets: 12,
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
/** A thread with nothing to send looks at its words so often, µs. */
const IDLE_US = 100_000;

export interface FarEndTask {
  control: SharedArrayBuffer;
  /** By number of the frame, ns: when each went to the guest, when each came from it (0: never). */
  sentAt: SharedArrayBuffer;
  cameAt: SharedArrayBuffer;
  /** What stands before a datagram to the guest: Ethernet to UDP, at most HEAD_MAX bytes. */
  head: SharedArrayBuffer;
  wakeFd: number;
}

/** Magic, stream and number. */
const DATAGRAM_MIN = 12;

/** Where the datagram of a stream begins in a frame over IPv4 or IPv6 without options, tagged or not; -1: it has none. */
export function datagramIn(v: DataView, length: number): number {
  const l3 = length > 18 && v.getUint16(12) === ETHERTYPE.vlan ? 18 : 14;
  if (length < l3 + 28 + DATAGRAM_MIN) return -1;
  const type = v.getUint16(l3 - 2);
  const [protocol, l4] =
    type === ETHERTYPE.ipv4 ? [v.getUint8(l3 + 9), l3 + 20] : [v.getUint8(l3 + 6), l3 + 40];
  if ((type !== ETHERTYPE.ipv4 && type !== ETHERTYPE.ipv6) || protocol !== PROTOCOL.udp) return -1;
  if (length < l4 + 8 + DATAGRAM_MIN || v.getUint16(l4 + 2) !== STREAM_PORT) return -1;
  return l4 + 8;
}

/** The frame to the guest: a head that differs from stream to stream, and a datagram at a multiple of four. */
export class OutgoingFrame {
  readonly #buffer = new Uint8Array(HEAD_MAX + STREAM_BYTES);
  readonly #words = new DataView(this.#buffer.buffer, HEAD_MAX);
  /** With its head. */
  bytes = this.#buffer.subarray(HEAD_MAX);
  readonly datagram = this.#buffer.subarray(HEAD_MAX);

  begin(stream: number, head: Uint8Array): void {
    this.#buffer.set(head, HEAD_MAX - head.length);
    this.bytes = this.#buffer.subarray(HEAD_MAX - head.length);
    this.#words.setUint32(0, MAGIC, true);
    this.#words.setUint32(4, stream + TO_GUEST, true);
  }

  /** The complement keeps the checksum in the head right (lab/netns/stream-kinds.ts). */
  set number(n: number) {
    this.#words.setUint32(8, n, true);
    this.#words.setUint32(12, ~n, true);
  }
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

  /** Turns to the stream that is wanted now, if it is another, and returns it; `prepare` is told of it before anybody knows that it runs. */
  begin(prepare: (stream: number) => void): number {
    const control = this.#control;
    const stream = Atomics.load(control, WIRE.stream);
    if (stream === control[WIRE.running]) return stream;
    if (stream !== 0) {
      for (const word of [WIRE.sent, WIRE.received, WIRE.duplicated, WIRE.reordered, WIRE.numbers])
        control[word] = 0;
      this.#sentAt.fill(0);
      this.#cameAt.fill(0);
      this.#next = 0;
      prepare(stream);
    }
    Atomics.store(control, WIRE.running, stream);
    return stream;
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
