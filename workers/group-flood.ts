import { clockMonotonic, setAffinity, sockSend } from 'bpf-loader-ts/sys';

/** Task of a thread bound to a CPU that sends a number of frames at a pace. */
export interface FloodTask {
  /** The owner's packet socket. */
  socket: number;
  /** The frame without its number. */
  frame: Uint8Array;
  /** Byte at which the number goes, as a 32-bit word of this machine. */
  numberAt: number;
  /** Number of frames, numbered from 0. */
  frames: number;
  /** Nanoseconds between two frames. */
  intervalNs: number;
  cpu: number;
  /** A word for each thread: the number of frames sent, or -1 until it is ready. The threads begin together. */
  sent: SharedArrayBuffer;
  thread: number;
  /** The thread that sends the copies. Neither gets ahead of the other by more than AHEAD frames. The thread itself if there is none. */
  beside: number;
}

export interface FloodResult {
  /** Number of frames that the kernel did not take. */
  refused: number;
  /** Time from the first frame to the last. */
  ns: number;
  /** The longest wait for the thread beside it. */
  waitedNs: number;
}

const AHEAD = 8;

/** Sends the frames. A thread that was delayed catches up. */
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
      // It sleeps, because the other thread may want this CPU.
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
