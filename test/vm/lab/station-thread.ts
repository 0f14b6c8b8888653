import { Epoll, eventfdClear, sockRecv, sockSend } from 'bpf-loader-ts/sys';
import { FarEnd, type FarEndTask, MAGIC, STREAM_BYTES } from './far-end.js';

export interface StationTask extends FarEndTask {
  /** A UDP socket connected to the guest's. */
  socket: number;
}

const BURST = 64;
/** Magic, stream and number. */
const HEAD_BYTES = 12;

/** The far end of streams over a kernel's own stack: one socket. */
export default function run(task: StationTask): void {
  const { socket, wakeFd } = task;
  const far = new FarEnd(task);
  const datagram = new Uint8Array(STREAM_BYTES);
  const words = new DataView(datagram.buffer);
  const received = new Uint8Array(2048);
  const view = new DataView(received.buffer);
  const ready = new Int32Array(2);
  const epoll = new Epoll();
  const prepare = (stream: number): void => words.setUint32(4, stream, true);
  const emit = (number: number): void => {
    words.setUint32(8, number, true);
    sockSend(socket, datagram, STREAM_BYTES);
  };
  words.setUint32(0, MAGIC, true);
  epoll.add(wakeFd, 0);
  epoll.add(socket, 1);
  while (!far.stopped) {
    far.begin(prepare);
    const n = epoll.wait(ready, far.send(emit));
    for (let i = 0; i < n; i++) if (ready[i] === 0) eventfdClear(wakeFd);
    for (let i = 0; i < BURST; i++) {
      const length = sockRecv(socket, received);
      if (length < 0) break;
      const number = length < HEAD_BYTES ? -1 : far.numberOf(view, 0);
      if (number >= 0) far.took(number);
    }
  }
  epoll.close();
}
