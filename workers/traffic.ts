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

/** Words of the control block that a traffic thread and its owner share. */
export const TRAFFIC = {
  stop: 0,
  /** Identifier of the running stream; 0: none. */
  stream: 1,
  /** Bit per wire: 1 cuts it in both directions, at once. */
  cut: 2,
  /** Nanoseconds between two frames of one direction. */
  interval_ns: 3,
  /** Frames sent each way by the running stream: sequence numbers 0 … sent-1. */
  sent: 4,
  /** Sends that the kernel refused (counted as sent: an application would have lost them). */
  refused: 5,
  /** Stream at most this many. */
  limit: 6,
  /** Set by the thread: the stream it is at; 0 when idle. */
  running: 7,
  /** Bit 0: guest to host, bit 1: host to guest. */
  directions: 8,
  /** Turns of the loop, wrapping: after two more of them the thread has seen every word written before. */
  turns: 9,
  /** Descriptors of the taps of each wire: guest's, host's, guest's, host's …; -1: none. */
  taps: 16,
} as const;
export const TRAFFIC_WORDS = 32;
export const WIRES = 2;

export const STREAM_PORT = 7412;
const MAGIC = 0x56464c52;

export interface TrafficTask {
  control: SharedArrayBuffer;
  /** When each frame was sent, by sequence number: CLOCK_MONOTONIC ns as doubles. */
  sentAt: SharedArrayBuffer;
  /** Connected UDP sockets. */
  guestSocket: number;
  hostSocket: number;
  wakeFd: number;
  cpu: number | null;
}

/** Frames moved per wire and direction before the sender gets its turn. */
const BURST = 32;

/**
 * The world outside the guest's failover, in one thread so that one core is left for what is measured: it sends numbered datagrams
 * both ways at the intended rate, and carries frames over wires made of taps. When it was held up it does not catch up: a burst
 * would measure queues.
 */
export default function run(task: TrafficTask): void {
  const control = new Int32Array(task.control);
  const sentAt = new Float64Array(task.sentAt);
  const { guestSocket, hostSocket, wakeFd } = task;
  if (task.cpu !== null) setAffinity(task.cpu);
  const clock = new Float64Array(1);
  const scratch = new Uint8Array(65536 + 256);
  const payload = new Uint8Array(64);
  const words = new Int32Array(payload.buffer);
  words[0] = MAGIC;
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
        words[1] = stream;
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
        words[2] = control[TRAFFIC.sent]!;
        const directions = control[TRAFFIC.directions]!;
        sentAt[control[TRAFFIC.sent]!] = now;
        if (directions & 1 && sockSend(guestSocket, payload, 64) < 0) control[TRAFFIC.refused]!++;
        if (directions & 2 && sockSend(hostSocket, payload, 64) < 0) control[TRAFFIC.refused]!++;
        control[TRAFFIC.sent]!++;
      }
    }
    const cut = Atomics.load(control, TRAFFIC.cut);
    for (let i = 0; i < WIRES; i++) {
      const guest = Atomics.load(control, TRAFFIC.taps + 2 * i);
      const host = Atomics.load(control, TRAFFIC.taps + 2 * i + 1);
      if (cut & (1 << i)) {
        if (guest >= 0) tapDiscard(guest, BURST);
        if (host >= 0) tapDiscard(host, BURST);
      } else if (guest >= 0 && host >= 0) {
        tapForward(guest, host, scratch, BURST);
        tapForward(host, guest, scratch, BURST);
      }
    }
    if (stream === 0) {
      // Idle: wires made of taps are looked after once a millisecond.
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
