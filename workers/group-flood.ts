import { clockMonotonic, setAffinity, sockSend } from 'bpf-loader-ts/sys';

/** A number of frames, sent at a pace by one thread bound to a CPU. */
export interface FloodTask {
  /** A packet socket of the owner's. */
  socket: number;
  /** What is sent, but for its number. */
  frame: Uint8Array;
  /** Byte at which the number stands, as a 32-bit word of this machine. */
  numberAt: number;
  /** Frames 0 … frames - 1. */
  frames: number;
  /** Nanoseconds between two. */
  intervalNs: number;
  cpu: number;
  /** A word for each thread: how many frames it has sent; -1 until it is ready. They begin together. */
  sent: SharedArrayBuffer;
  thread: number;
  /** The thread that sends the copies: neither gets ahead of the other by more than AHEAD frames. Itself: none does. */
  beside: number;
}

export interface FloodResult {
  /** Frames that the kernel did not take. */
  refused: number;
  /** From the first to the last. */
  ns: number;
  /** The longest that it had to wait for the thread beside it. */
  waitedNs: number;
}

const AHEAD = 8;

/** Sends the frames. A thread that was held up catches up. */
export default function run(task: FloodTask): FloodResult {
  const { socket, numberAt, frames, intervalNs, cpu, thread, beside } = task;
  setAffinity(cpu);
  const sent = new Int32Array(task.sent);
  const bytes = Uint8Array.from(task.frame);
  const number = new DataView(bytes.buffer);
  const clock = new Float64Array(1);
  const now = (): number => {
    clockMonotonic(clock, 0);
    return clock[0]!;
  };
  const result: FloodResult = { refused: 0, ns: 0, waitedNs: 0 };
  Atomics.store(sent, thread, 0);
  for (let i = 0; i < sent.length; i++) while (Atomics.load(sent, i) < 0) Atomics.wait(sent, i, -1, 1);
  const from = now();
  for (let n = 0; n < frames; n++) {
    while (now() < from + n * intervalNs);
    if (n - Atomics.load(sent, beside) > AHEAD) {
      const since = now();
      // It sleeps: the other may want this CPU.
      for (let m = Atomics.load(sent, beside); n - m > AHEAD; m = Atomics.load(sent, beside))
        Atomics.wait(sent, beside, m, 0.05);
      result.waitedNs = Math.max(result.waitedNs, now() - since);
    }
    number.setUint32(numberAt, n, true);
    if (sockSend(socket, bytes, bytes.length) < 0) result.refused++;
    Atomics.store(sent, thread, n + 1);
  }
  result.ns = now() - from;
  return result;
}
