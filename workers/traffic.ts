import {
  clockMonotonic,
  Epoll,
  eventfdClear,
  setAffinity,
  sockSend,
  sockRecvDrain,
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
} as const;
export const TRAFFIC_WORDS = 16;

export const STREAM_PORT = 7412;
const MAGIC = 0x56464c52;

export interface TrafficTask {
  control: SharedArrayBuffer;
  /** Descriptors of both ends of wires made of taps: this thread is the cable. */
  wires: { guest: number; host: number }[];
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
  const { wires, guestSocket, hostSocket, wakeFd } = task;
  if (task.cpu !== null) setAffinity(task.cpu);
  const clock = new Float64Array(1);
  const scratch = new Uint8Array(65536 + 256);
  const payload = new Uint8Array(64);
  const words = new Int32Array(payload.buffer);
  words[0] = MAGIC;
  const ready = new Int32Array(8);
  const epoll = new Epoll();
  epoll.add(wakeFd, -1);
  for (const w of wires) {
    epoll.add(w.guest, 0);
    epoll.add(w.host, 0);
  }
  let next = 0;
  while (Atomics.load(control, TRAFFIC.stop) === 0) {
    const stream = Atomics.load(control, TRAFFIC.stream);
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
        if (directions & 1 && sockSend(guestSocket, payload, 64) < 0) control[TRAFFIC.refused]!++;
        if (directions & 2 && sockSend(hostSocket, payload, 64) < 0) control[TRAFFIC.refused]!++;
        control[TRAFFIC.sent]!++;
      }
    }
    const cut = Atomics.load(control, TRAFFIC.cut);
    for (let i = 0; i < wires.length; i++) {
      const { guest, host } = wires[i]!;
      if (cut & (1 << i)) {
        tapDiscard(guest, BURST);
        tapDiscard(host, BURST);
      } else {
        tapForward(guest, host, scratch, BURST);
        tapForward(host, guest, scratch, BURST);
      }
    }
    if (stream === 0) {
      const n = epoll.wait(ready, 100_000);
      for (let k = 0; k < n; k++) if (ready[k] === -1) eventfdClear(wakeFd);
      sockRecvDrain(guestSocket);
      sockRecvDrain(hostSocket);
    }
  }
  epoll.close();
}
