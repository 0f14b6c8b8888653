import { Epoll, eventfdClear, sockRecv, sockSend } from 'bpf-loader-ts/sys';
import { datagramIn, FarEnd, type FarEndTask, OutgoingFrame, WIRE } from './far-end.js';

export interface StationTask extends FarEndTask {
  /** A UDP socket connected to the guest's. */
  socket: number;
}

const BURST = 64;
/** Magic, stream and number. */
const HEAD_BYTES = 12;

/** The far end of streams over a kernel's own stack: a UDP socket, and a packet socket for kinds that need more than an address. */
export default function run(task: StationTask): void {
  const { socket, wakeFd } = task;
  const control = new Int32Array(task.control);
  const far = new FarEnd(task);
  const outgoing = new OutgoingFrame();
  const received = new Uint8Array(2048);
  const view = new DataView(received.buffer);
  const ready = new Int32Array(3);
  const epoll = new Epoll();
  let packets = 0;
  const prepare = (stream: number): void => {
    packets = control[WIRE.packets]!;
    if (packets > 0) epoll.add(packets, 2);
    outgoing.begin(stream, new Uint8Array(task.head, 0, control[WIRE.head]!));
  };
  const emit = (number: number): void => {
    outgoing.number = number;
    const bytes = packets > 0 ? outgoing.bytes : outgoing.datagram;
    sockSend(packets > 0 ? packets : socket, bytes, bytes.length);
  };
  const take = (from: number, datagram: (length: number) => number): void => {
    for (let i = 0; i < BURST; i++) {
      const length = sockRecv(from, received);
      if (length < 0) break;
      const at = datagram(length);
      const number = at < 0 ? -1 : far.numberOf(view, at);
      if (number >= 0) far.took(number);
    }
  };
  epoll.add(wakeFd, 0);
  epoll.add(socket, 1);
  while (!far.stopped) {
    if (far.begin(prepare) === 0) packets = 0;
    const n = epoll.wait(ready, far.send(emit));
    for (let i = 0; i < n; i++) if (ready[i] === 0) eventfdClear(wakeFd);
    take(socket, (length) => (length < HEAD_BYTES ? -1 : 0));
    if (packets > 0) take(packets, (length) => datagramIn(view, length));
  }
  epoll.close();
}
