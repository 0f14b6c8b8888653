import {
  clockMonotonic,
  Epoll,
  eventfdClear,
  setAffinity,
  sockRecvDrain,
  sockSend,
  tapDiscard,
  tapForward,
} from 'bpf-loader-ts/sys';
import { record } from '../src/record.js';

export const TRAFFIC_WORDS = 32;
export const WIRES = 2;

/** Words of the control block that a traffic thread and its owner share. */
export const TRAFFIC = record('traffic', TRAFFIC_WORDS, {
  stop: 1,
  /** Identifier of the running stream; 0: none. */
  stream: 1,
  /** Bit per wire: 1 cuts it in both directions, at once. */
  cut: 1,
  /** Nanoseconds between two frames of one direction. */
  interval_ns: 1,
  /** Frames sent each way by the running stream: sequence numbers 0 … sent-1. */
  sent: 1,
  /** Sends that the kernel refused (counted as sent: an application would have lost them). */
  refused: 1,
  /** Stream at most this many. */
  limit: 1,
  /** Set by the thread: the stream it is at; 0 when idle. */
  running: 1,
  /** Bit 0: guest to host, bit 1: host to guest. */
  directions: 1,
  /** Turns of the loop, wrapping: after two more of them the thread has seen every word written before. */
  turns: 1,
  /** Packet sockets that whole frames are sent by, guest's and host's, and the length of their heads in bytes. 0: datagrams by UDP. */
  guest_packets: 1,
  host_packets: 1,
  guest_head: 1,
  host_head: 1,
  /** Descriptors of the taps of each wire: guest's, host's, guest's, host's …; -1: none. */
  taps: 2 * WIRES,
});

export const STREAM_PORT = 7412;
export const MAGIC = 0x56464c52;
/** A datagram begins with {u32 magic, u32 stream, u32 number, u32 ~number} and has this length. */
export const STREAM_BYTES = 64;
/** Added to a stream's identifier in frames to the guest, so that a frame of the guest's own that returns is told from them. */
export const TO_GUEST = 0x40000000;
/** Most bytes before a datagram: Ethernet, a tag, IPv6 and UDP. */
export const HEAD_MAX = 128;

export interface TrafficTask {
  control: SharedArrayBuffer;
  /** Time of sending by sequence number: CLOCK_MONOTONIC ns as doubles. */
  sentAt: SharedArrayBuffer;
  /** Connected UDP sockets. */
  guestSocket: number;
  hostSocket: number;
  /** Heads of the datagrams in streams of whole frames: HEAD_MAX bytes of the guest's, then the host's. */
  heads: SharedArrayBuffer;
  wakeFd: number;
  cpu: number | null;
}

/** Sends one direction's frames. The payload lies at a multiple of four bytes. */
class Sender {
  readonly #frame = new Uint8Array(HEAD_MAX + STREAM_BYTES);
  readonly #words = new Int32Array(this.#frame.buffer, HEAD_MAX);
  readonly #udp: number;
  #socket: number;
  #bytes: Uint8Array;

  constructor(udp: number) {
    this.#udp = udp;
    this.#socket = udp;
    this.#bytes = this.#frame.subarray(HEAD_MAX);
    this.#words[0] = MAGIC;
  }

  begin(stream: number, packets: number, head: Uint8Array): void {
    this.#words[1] = stream;
    this.#frame.set(head, HEAD_MAX - head.length);
    this.#socket = head.length > 0 ? packets : this.#udp;
    this.#bytes = this.#frame.subarray(HEAD_MAX - head.length);
  }

  /** False if the kernel refused the frame. */
  send(number: number): boolean {
    this.#words[2] = number;
    this.#words[3] = ~number;
    return sockSend(this.#socket, this.#bytes, this.#bytes.length) >= 0;
  }
}

/** Most frames moved per wire and direction before the sender gets its turn. */
const BURST = 32;

/** Moves frames over the wires that are made of taps, and takes those away that were sent into a wire that is cut. */
function carry(control: Int32Array, scratch: Uint8Array): void {
  const cut = Atomics.load(control, TRAFFIC.cut);
  for (let i = 0; i < WIRES; i++) {
    const guestTap = Atomics.load(control, TRAFFIC.taps + 2 * i);
    const hostTap = Atomics.load(control, TRAFFIC.taps + 2 * i + 1);
    if (cut & (1 << i)) {
      if (guestTap >= 0) tapDiscard(guestTap, BURST);
      if (hostTap >= 0) tapDiscard(hostTap, BURST);
    } else if (guestTap >= 0 && hostTap >= 0) {
      tapForward(guestTap, hostTap, scratch, BURST);
      tapForward(hostTap, guestTap, scratch, BURST);
    }
  }
}

/**
 * The world outside the guest's failover, in one thread, so that one core is left for the measured part. It sends numbered datagrams both ways at
 * the intended rate, and carries frames over wires made of taps. After a delay it does not catch up, since a burst would measure queues.
 */
export default function run(task: TrafficTask): void {
  const control = new Int32Array(task.control);
  const sentAt = new Float64Array(task.sentAt);
  const { guestSocket, hostSocket, wakeFd } = task;
  if (task.cpu !== null) setAffinity(task.cpu);
  const clock = new Float64Array(1);
  const scratch = new Uint8Array(65536 + 256);
  const heads = new Uint8Array(task.heads);
  const guest = new Sender(guestSocket);
  const host = new Sender(hostSocket);
  const ready = new Int32Array(8);
  const epoll = new Epoll();
  epoll.add(wakeFd, -1);
  let next = 0;
  while (Atomics.load(control, TRAFFIC.stop) === 0) {
    const stream = Atomics.load(control, TRAFFIC.stream);
    Atomics.add(control, TRAFFIC.turns, 1);
    if (stream !== control[TRAFFIC.running]) {
      if (stream !== 0) {
        control[TRAFFIC.sent] = 0;
        control[TRAFFIC.refused] = 0;
        const { guest_packets, guest_head, host_packets, host_head } = TRAFFIC;
        guest.begin(stream, control[guest_packets]!, heads.subarray(0, control[guest_head]!));
        host.begin(
          stream + TO_GUEST,
          control[host_packets]!,
          heads.subarray(HEAD_MAX, HEAD_MAX + control[host_head]!),
        );
        next = 0;
      }
      Atomics.store(control, TRAFFIC.running, stream);
    }
    if (stream !== 0) {
      clockMonotonic(clock, 0);
      const now = clock[0]!;
      if (now >= next && control[TRAFFIC.sent]! < control[TRAFFIC.limit]!) {
        const interval = control[TRAFFIC.interval_ns]!;
        next = next === 0 || now - next > 20 * interval ? now + interval : next + interval;
        const number = control[TRAFFIC.sent]!;
        const directions = control[TRAFFIC.directions]!;
        sentAt[number] = now;
        if (directions & 1 && !guest.send(number)) control[TRAFFIC.refused]!++;
        if (directions & 2 && !host.send(number)) control[TRAFFIC.refused]!++;
        control[TRAFFIC.sent]!++;
      }
    }
    carry(control, scratch);
    if (stream === 0) {
      // An idle thread looks after wires made of taps once a millisecond.
      const n = epoll.wait(
        ready,
        control[TRAFFIC.taps]! >= 0 || control[TRAFFIC.taps + 2]! >= 0 ? 1_000 : 100_000,
      );
      for (let k = 0; k < n; k++) if (ready[k] === -1) eventfdClear(wakeFd);
      sockRecvDrain(guestSocket);
      sockRecvDrain(hostSocket);
    }
  }
  epoll.close();
}
