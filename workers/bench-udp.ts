import { BpfMap, possibleCpus } from 'bpf-loader-ts';
import { dupFd, Epoll, monotonicNs, setAffinity, sockSendBatch } from 'bpf-loader-ts/sys';
import { COUNT, COUNTERS_WORDS, RX } from '../src/datapath/offsets.js';

/** One of the two ways to compare. */
export interface UdpSide {
  /** Connected UDP socket. */
  socket: number;
  /** `counters` of the sink at the far end. */
  counters: number;
}

export interface UdpTask {
  sides: [UdpSide, UdpSide];
  cpu: number;
  /** Bytes of a datagram. */
  payload: number;
  sliceMs: number;
  /** Number of slices per side, even. */
  slices: number;
}

/** Frames delivered and sent, and the time taken, by side. */
export type UdpResult = { delivered: number; sent: number; ns: number }[];

const BATCH = 64;
/** Pause between two slices, in which frames under way arrive and count for neither. */
const DRAIN_US = 500;

const delivered = (words: Uint32Array): number => {
  let n = 0;
  for (let cpu = 0; cpu < possibleCpus(); cpu++) {
    const at = cpu * COUNTERS_WORDS + RX[0]! + COUNT.packets;
    n += words[at + 1]! * 4294967296 + words[at]!;
  }
  return n;
};

/** Floods through both sides in turn, A B B A …, in slices so short that a slow spell of the machine slows both. */
export default function run(task: UdpTask): UdpResult {
  setAffinity(task.cpu);
  const payload = new Uint8Array(task.payload);
  const maps = task.sides.map((s) => BpfMap.fromFd(dupFd(s.counters)));
  const mappings = maps.map((m) => m.mmap());
  const words = mappings.map((m) => m.uint32());
  const result: UdpResult = task.sides.map(() => ({ delivered: 0, sent: 0, ns: 0 }));
  const epoll = new Epoll();
  const none = new Int32Array(1);
  try {
    for (let slice = 0; slice < 2 * task.slices; slice++) {
      const side = [0, 1, 1, 0][slice & 3]!;
      const { socket } = task.sides[side]!;
      const sum = result[side]!;
      epoll.wait(none, DRAIN_US);
      const before = delivered(words[side]!);
      const from = monotonicNs();
      const end = from + task.sliceMs * 1e6;
      let now = from;
      while (now < end) {
        const n = sockSendBatch(socket, payload, task.payload, BATCH);
        if (n > 0) sum.sent += n;
        now = monotonicNs();
      }
      sum.delivered += delivered(words[side]!) - before;
      sum.ns += now - from;
    }
  } finally {
    epoll.close();
    for (const m of mappings) m.close();
    for (const m of maps) m.close();
  }
  return result;
}
